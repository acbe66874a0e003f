package source

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	authv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/lazyregexp"
	"github.com/cwagent/cwagent/ipc"
)

// A ServiceAccount mints a short-lived token with Kubernetes' TokenRequest. The
// token of another credential is shown to the API server for it, or the last
// minted one, which renews itself as long as it lives.
//
// The answer decides when the token ends: a server may shorten the lifetime, and
// does not take less than ten minutes. It speaks by its own clock, so where the
// answer has a Date, the expiry is moved by as much as that clock is away from
// ours.
type ServiceAccount struct {
	Namespace, Name string
	Audiences       []string      // none: the API server's own
	Lifetime        time.Duration // what is asked for; zero: what the server gives, usually an hour
	From            string        // the credential whose token is shown; empty: the one that the token is for
	Server          string        // the URL of a server that From is bound to; empty: its only one
	Now             func() time.Time
	UserAgent       string // "cwagent" where it is empty
}

var _ agent.Source = (*ServiceAccount)(nil)

// Kind implements agent.Source.
func (*ServiceAccount) Kind() string { return "serviceAccount" }

// Next implements agent.Source: it puts one TokenRequest.
func (s *ServiceAccount) Next(ctx context.Context, o agent.Occasion) (agent.Minted, error) {
	m, e := s.next(ctx, o)
	if e != nil {
		return agent.Minted{}, before("serviceAccount "+bounded(clean(s.Namespace+"/"+s.Name))+": ", e)
	}
	return m, nil
}

// names are those that Kubernetes has for namespaces and service accounts; what
// else could stand in a path is not even asked about.
var names = lazyregexp.New(`^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$`)

func (s *ServiceAccount) next(ctx context.Context, o agent.Occasion) (agent.Minted, *agent.SourceError) {
	if !names().MatchString(s.Namespace) || !names().MatchString(s.Name) {
		return agent.Minted{}, broken("not names that Kubernetes has", "see source.serviceAccount of this credential in config.yaml")
	}
	m := minting{ServiceAccount: s, lender: s.From}
	if m.lender == "" {
		m.lender = o.Credential
	}
	m.self = m.lender == o.Credential
	var err error
	if m.loan, err = o.Lend(ctx, m.lender, s.Server); err != nil {
		return agent.Minted{}, m.unlent(err)
	}
	m.host = hostOf(m.loan.Server)
	question, err := json.Marshal(s.request())
	if err != nil {
		return agent.Minted{}, broken("it cannot be asked for: "+err.Error(), "")
	}
	to, err := bound(m.loan)
	if err != nil {
		return agent.Minted{}, broken(m.host+" cannot be asked: "+err.Error(), "")
	}
	r, err := put(ctx, to, m.loan, s.path(), s.userAgent(), question, s.Now)
	if err != nil {
		return agent.Minted{}, transient(m.host+": "+err.Error(), "")
	}
	return m.judge(r)
}

var requestType = metav1.TypeMeta{Kind: "TokenRequest", APIVersion: authv1.SchemeGroupVersion.String()}

func (s *ServiceAccount) request() authv1.TokenRequest {
	r := authv1.TokenRequest{TypeMeta: requestType, Spec: authv1.TokenRequestSpec{Audiences: s.Audiences}}
	if seconds := int64(s.Lifetime / time.Second); s.Lifetime > 0 {
		r.Spec.ExpirationSeconds = &seconds
	}
	return r
}

func (s *ServiceAccount) path() string {
	return "/api/v1/namespaces/" + s.Namespace + "/serviceaccounts/" + s.Name + "/token"
}

func (s *ServiceAccount) userAgent() string {
	if s.UserAgent == "" {
		return "cwagent"
	}
	return s.UserAgent
}

// A minting is one TokenRequest on its way.
type minting struct {
	*ServiceAccount
	lender string
	self   bool // the token renews itself
	loan   agent.Loan
	host   string
}

// unlent says why there is no token to ask with.
func (m *minting) unlent(err error) *agent.SourceError {
	e := transient("no token to ask with: "+bounded(clean(err.Error())), "")
	var ie *ipc.Error
	if !errors.As(err, &ie) {
		return e
	}
	e.Hint = ie.Hint
	switch ie.Code {
	case ipc.CodeExpired, ipc.CodeEmpty, ipc.CodeRefused:
		e.Class = agent.Denied
	case ipc.CodeNotFound, ipc.CodeNotBound, ipc.CodeInvalid:
		e.Class = agent.Broken
	}
	return e
}

// judge reads what the server answered.
func (m *minting) judge(r reply) (agent.Minted, *agent.SourceError) {
	says := m.host + " says " + r.code()
	if r.status == http.StatusCreated || r.status == http.StatusOK {
		return m.take(r, says)
	}
	refused := r.status == http.StatusUnauthorized || r.status == http.StatusForbidden
	wrong := ""
	if refused {
		wrong = m.wrongPair()
	}
	status, official := r.official()
	if !official {
		return agent.Minted{}, transient(says+", but not as an API server does: a proxy, or a portal"+wrong, "")
	}
	if said := m.redactor().line(status.Message); said != "" {
		says += ": " + said
	}
	switch {
	case refused:
		return agent.Minted{}, denied(says+wrong, m.permission(r.status))
	case r.status == http.StatusTooManyRequests || r.status >= 500 || r.status < 400 || r.status == http.StatusRequestTimeout:
		return agent.Minted{}, transient(says, "")
	case r.status == http.StatusNotFound:
		return agent.Minted{}, broken(says, "kubectl create serviceaccount "+m.Name+" -n "+m.Namespace)
	case m.Lifetime > 0 && m.Lifetime < shortest:
		return agent.Minted{}, broken(says, "a lifetime of at least 10m: see source.serviceAccount of this credential in config.yaml")
	}
	return agent.Minted{}, broken(says, "see source.serviceAccount of this credential in config.yaml")
}

// shortest is the lifetime below which no API server goes.
const shortest = 10 * time.Minute

// take takes the token out of an answer.
func (m *minting) take(r reply, says string) (agent.Minted, *agent.SourceError) {
	var t authv1.TokenRequest
	if r.cut || json.Unmarshal(r.body, &t) != nil || t.TypeMeta != requestType || t.Status.ExpirationTimestamp.IsZero() {
		return agent.Minted{}, transient(says+", but not with a token: a proxy, or a portal", "")
	}
	secret, e := sendable(t.Status.Token)
	if e != nil {
		return agent.Minted{}, before(says+" with ", e)
	}
	minted := agent.Minted{Secret: secret}
	// A JWT's own times are by the server's clock, too, and no better.
	minted.Expiry, minted.Expires, minted.Created = ipc.ExpiryKnown, r.local(t.Status.ExpirationTimestamp.Time), r.start
	if left := minted.Expires.Sub(clock(m.Now)); left < useless {
		return agent.Minted{}, broken(says+" with a token that lives for "+left.Round(time.Second).String()+" only", "")
	}
	return minted, nil
}

// permission says what a refused token lacks.
func (m *minting) permission(status int) string {
	if status == http.StatusUnauthorized {
		if len(m.Audiences) > 0 && m.self {
			return "a token can renew itself only if the API server is one of its audiences; then: cwagent add " + m.lender + " --replace"
		}
		return "the token of " + m.lender + " is not good there: cwagent verify " + m.lender
	}
	return "it takes RBAC's create on serviceaccounts/token: kubectl create role mint-" + m.Name + " -n " + m.Namespace +
		" --verb=create --resource=serviceaccounts/token --resource-name=" + m.Name + ", and a rolebinding to it"
}

// wrongPair names the likeliest refusal there is with CKS: a token at the wrong
// one of a cluster's two endpoints. Host names are good for advice only, because
// private clusters have any.
func (m *minting) wrongPair() string {
	managed, unmanaged := strings.CutPrefix(m.host, "api.")
	cks := strings.HasSuffix(m.host, ".coreweave.com") && strings.Contains(m.host, ".k8s.")
	switch api := agent.IsAPIToken(m.loan.Token); {
	case api && unmanaged:
		return "; it is the wrong endpoint: " + m.host + " takes no API Access Tokens, " + managed + " does"
	case !api && !unmanaged && cks:
		return "; it is the wrong endpoint: " + m.host + " takes API Access Tokens only, others go to api." + m.host
	}
	return ""
}

func (m *minting) redactor() redactor { return redactor{secrets: []string{m.loan.Token.Reveal()}} }
