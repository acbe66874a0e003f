// Package source has the bodies of agent.Source: where the next token of a
// credential comes from without a person.
//
//	Command         a program prints it
//	File            something else refreshes it in a file
//	ServiceAccount  a Kubernetes API server mints it
//
// # What is promised
//
// A source gives one token that can be sent as a bearer token and that lives for
// at least another two seconds, or it says why not. It ends when its time is up,
// whatever the program, the file or the server does: a command has 30 seconds
// unless told otherwise, a server 10. What it reads is bounded: 1 MiB from a
// program, 128 KiB from a file, 256 KiB from a server, which are far more than a
// token can have.
//
// No error holds a secret. What a program wrote to stderr and what a server said
// is shown to a person, and so it is bounded to one line without control
// characters, and whatever looks like a secret gives way to "[secret]": API
// Access Tokens, JWTs, words that are long and opaque, what stands after "token="
// and the like, the values that the config hands to the program, and every eight
// characters in a row that are also in what the program printed or in the token
// that the server was shown.
//
// # What is refused
//
// A program gets no shell, no terminal, no stdin, and of the agent's environment
// only what [Command] lists: never a variable that begins with CWAGENT_. A
// server is reached over https with exactly the settings that it is bound with;
// no redirect is followed. An API Access Token, which is good for a whole
// organization, never goes to a server that is bound with
// insecure-skip-tls-verify: whoever is on the way would hold it. Client
// certificates in an ExecCredential are refused: the agent serves tokens.
//
// # Expiries
//
// The earliest that is known counts: what came with the token, what the config
// says about its lifetime, what a JWT says of itself (it is read, and not
// verified: its server does that). A lifetime counts from before the command was
// started, or from when the file was written. A server's answer is read by the
// server's clock, see [ServiceAccount]. Where nothing is known, the expiry is
// unknown, and that is no error.
//
// # Classes of errors
//
//	transient  a program that ends with another exit code than 0, or is killed, or
//	           does not end in time: which codes mean no for good, nobody can know;
//	           a file that is missing, empty, or whose token has ended: what
//	           refreshes it may be late; no answer from a server, 429, 5xx, a
//	           redirect, and whatever is not an API server's: a proxy, a portal
//	refused    401 and 403 of an API server; a lender without a valid token
//	other      no such program, output that is no token, a token that has ended,
//	           404 and whatever else an API server does not take
//
// # Why not client-go
//
// A TokenRequest is one POST, put with net/http and the types of k8s.io/api.
// client-go/rest was measured in the agent with 1,000 credentials, which should
// stay below 20 MB: linked it costs 1.7 MB (18.4 to 18.9 MB, with net/http 16.6 to
// 17.2), and after the first 20 tokens the agent has 20.7 to 21.0 MB, with
// net/http 18.8 to 19.1. The program is 1.9 MB larger and starts 0.3 ms later (25
// November 2026, client-go 0.36.3, linux/amd64). It would also follow redirects
// with the token in hand, read answers of any size, and keep the Date header to
// itself.
package source
