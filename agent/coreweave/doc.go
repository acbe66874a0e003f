// Package coreweave finds out whether a token is alive, by asking those who
// must know: CoreWeave's whoami, and the API servers that the token is bound to.
//
// # Whose token goes where
//
// Only a token that begins with CW-SECRET- is ever sent to the CoreWeave
// endpoint, be it to ask about it or to exchange it for object storage keys. Every token is sent to the servers of its request and to no other,
// each reached with exactly its bound settings: certificate authority,
// tls-server-name, proxy-url, insecure-skip-tls-verify. A server whose authority
// is named but not at hand is not asked. Everything goes over https; no
// redirect is followed. As with kubectl, the proxies of the environment serve
// where no proxy-url is bound.
//
// A server that is bound with insecure-skip-tls-verify never gets a CW-SECRET-
// token from here. It would be asked when whoami gives no clear answer, and
// whoever is on the way can see to that: he would block the endpoint, play the
// server, and hold a token of the whole organization. Other tokens go there: it
// is the only place where they can be asked about, and kubectl sends them too.
//
// # What counts as an answer
//
// Alive and rejected have consequences, so both need an answer of the documented
// form; whatever else comes back is unknown, and nothing follows from it.
//
//	whoami                    SelfSubjectReview at a bound server   verdict
//	200, its documented JSON  not asked                             alive
//	401                       not asked                             rejected
//	403                       201                                   alive
//	403                       401 or 403                            rejected
//	403                       anything else, or no server           unknown
//	404                       not asked; cks/clusters says 200      alive, whose is not known
//	404                       cks/clusters says 401 or 403          as after a 403 from whoami
//	anything else             201                                   alive
//	anything else             anything else                         unknown
//	not its token             201                                   alive
//	not its token             401 or 403                            rejected
//
// Where several servers are bound, one that knows the token outweighs those
// that do not: an API Access Token is refused by every server whose host begins
// with "api.", however alive it is. That pair is named in Verdict.Why.
//
// CoreWeave has published no body for its 401 and 403. What is known is that its
// API speaks JSON and takes bearer tokens, and what is feared is a company's proxy
// or gateway, which opens the TLS connection (that is what coreweave.caFile is for)
// and says 401 of its own account. So those two count only if the reply
//
//   - asks for no other proof than a bearer token: there is no Proxy-Authenticate,
//     and no WWW-Authenticate but Bearer (a proxy says Basic, Negotiate or NTLM), and
//   - has one whole JSON object of up to 8 KiB for a body, whatever its type is
//     said to be; or none at all and nobody's name on it: no content type but
//     application/json, no Server, Via, X-Cache, Proxy-* or X-Squid-*.
//
// With a JSON object Server and Via may be there: a proxy leaves them on what it
// only passes on. A web page or a sentence never counts. That is a guess on the
// safe side: should CoreWeave refuse in plain text, its refusals are "unknown" here
// and the token is served on. A gateway that refuses in JSON and asks for nothing
// cannot be told from CoreWeave.
//
// A Kubernetes API server always sends a Status, so its 401 and 403 count only
// with that. One 403 of an API server does not count: that which names the user,
// because it says that the token was recognised, and that RBAC forbids the
// question. The user system:anonymous is nobody.
//
// # Limits
//
// All questions about one token take at most 10 s together; the endpoint gets
// six tenths of that where servers can be asked after it. One token is asked
// about once at a time: who asks the same meanwhile gets the same verdict.
// Verdicts are not kept beyond that. Bodies are read up to 64 KiB, those of
// errors up to 8 KiB. A question is one HTTP/1.1 connection that ends with it:
// an idle agent has no connection and no keep-alive timer.
//
// Verdict.Why is made of our own words, status codes and the names of bound
// servers, and of the system's errors up to the moment at which the token leaves.
// Nothing that arrives after that is quoted, because it may be the token.
//
// # Why not client-go
//
// The questions are two GETs and one POST, put with net/http and the types of
// k8s.io/api. client-go/rest would build the same connection out of the same
// settings, for 1.7 MB of file and 2.2 MB of memory that never come back: with
// 1,000 credentials the agent then has 20 to 21.5 MB, and should stay below 20.
// With net/http it has what it has without any verifier, 18 to 18.6 MB, and 0.3
// MB of file (24 November 2026, client-go 0.36.3, linux/amd64). Networks in
// NO_PROXY, for which client-go has code of its own, net/http understands today.
package coreweave
