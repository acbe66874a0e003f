package coreweave

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"golang.org/x/sync/errgroup"
	authv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

const reviewPath = "/apis/authentication.k8s.io/v1/selfsubjectreviews"

// atOnce is how many servers are asked at a time.
const atOnce = 8

// errEnough ends the questions to the other servers.
var errEnough = errors.New("one server knows the token")

// askServers asks every bound server, until one knows the token.
func (c *inquiry) askServers(ctx context.Context) []answer {
	answers := make([]answer, len(c.request.Servers))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i, s := range c.request.Servers {
		g.Go(func() error {
			answers[i] = c.review(ctx, s)
			if answers[i].says == knows {
				return errEnough
			}
			if context.Cause(ctx) == errEnough && answers[i].says == nothing {
				answers[i].why = "" // it was interrupted
			}
			return nil
		})
	}
	_ = g.Wait() // errEnough or nothing: the answers say it all
	return answers
}

// review asks one server who the token belongs to, as kubectl auth whoami does.
func (c *inquiry) review(ctx context.Context, s ipc.Server) answer {
	a := answer{host: hostOf(s)}
	to, err := c.bound(s)
	if err != nil {
		a.why = a.host + " cannot be asked: " + err.Error()
		return a
	}
	question, err := json.Marshal(authv1.SelfSubjectReview{TypeMeta: reviewType})
	if err != nil {
		a.why = err.Error()
		return a
	}
	// The port is filled in where a server is bound, and left out where it is
	// asked: there are proxies that look at the Host header as kubectl sends it.
	base, path, _ := strings.Cut(strings.TrimPrefix(s.URL, "https://"), "/")
	if path != "" {
		path = "/" + path
	}
	a.reply, err = c.do(ctx, to, http.MethodPost, "https://"+strings.TrimSuffix(base, ":443")+path+reviewPath, question)
	if err != nil {
		a.why = a.host + ": " + err.Error()
		return a
	}
	c.judge(&a)
	return a
}

var reviewType = metav1.TypeMeta{Kind: "SelfSubjectReview", APIVersion: authv1.SchemeGroupVersion.String()}

// bound turns the bound settings of a server into what a connection needs.
func (c *inquiry) bound(s ipc.Server) (target, error) {
	to := target{serverName: s.TLSServerName, insecure: s.Insecure, proxy: c.proxy}
	if !strings.HasPrefix(s.URL, "https://") {
		return to, errors.New("only https servers get a token")
	}
	if s.Insecure && agent.IsAPIToken(c.request.Token) {
		return to, errors.New("with insecure-skip-tls-verify anybody on the way would get the API Access Token")
	}
	if s.CASHA256 != "" {
		to.ca = c.request.CAs[s.CASHA256]
		if agent.Fingerprint(to.ca) != s.CASHA256 {
			return to, errors.New("its certificate authority is not at hand")
		}
	}
	if s.ProxyURL != "" {
		u, err := url.Parse(s.ProxyURL)
		if err != nil || u.Host == "" {
			return to, errors.New("its proxy-url is not a URL") // which may hold a password
		}
		to.proxy = http.ProxyURL(u)
	}
	return to, nil
}

// judge reads what a server answered.
func (c *inquiry) judge(a *answer) {
	r := a.reply
	official := !r.cut && isStatus(r.body, r.status)
	switch {
	case r.status == http.StatusCreated || r.status == http.StatusOK:
		user, ok := parseReview(r.body)
		if !ok || r.cut || c.leaks(user) {
			a.why = a.host + " says " + r.code() + " but not whose token it is"
			return
		}
		a.says, a.identity = knows, ipc.Identity{User: user}
		a.why = a.host + " knows the token"
	case r.html():
		a.why = a.host + ": " + r.code() + ", but with " + webPage
	case r.status == http.StatusForbidden && official && recognised(r.body):
		a.why = a.host + " does not let this user ask (403)"
	case r.status == http.StatusForbidden && official:
		a.says = forbids
		a.why = a.host + " says 403"
	case r.status == http.StatusUnauthorized && official:
		a.says = refuses
		a.why = a.host + " says 401"
	case r.status == http.StatusForbidden || r.status == http.StatusUnauthorized:
		a.why = a.host + " says " + r.code() + ", but not as an API server does"
	case r.status == http.StatusNotFound:
		a.why = a.host + " has no SelfSubjectReview (404), which came with Kubernetes 1.28"
	default:
		a.why = a.host + " says " + r.code()
	}
}

// parseReview reads whose token it is.
func parseReview(body []byte) (user string, ok bool) {
	var r authv1.SelfSubjectReview
	if json.Unmarshal(body, &r) != nil || r.TypeMeta != reviewType {
		return "", false
	}
	user = r.Status.UserInfo.Username
	return user, isName(user) && user != anonymous
}

// isStatus reports whether body is the Status that every API server sends with a
// refusal.
func isStatus(body []byte, code int) bool {
	var s metav1.Status
	return json.Unmarshal(body, &s) == nil && s.Kind == "Status" && s.APIVersion == "v1" &&
		s.Status == metav1.StatusFailure && (s.Code == 0 || int(s.Code) == code)
}

// user is how an API server names the one whom its authorizer refuses.
var user = regexp.MustCompile(`: User "([^"]+)" cannot create resource "selfsubjectreviews"`)

// recognised reports whether a 403 comes from the authorizer, after the token
// was recognised: it names the user then, and is about this resource.
func recognised(body []byte) bool {
	var s metav1.Status
	if json.Unmarshal(body, &s) != nil || s.Details == nil || s.Details.Kind != "selfsubjectreviews" {
		return false
	}
	m := user.FindStringSubmatch(s.Message)
	return m != nil && m[1] != anonymous
}

// hostOf is how a server is called in what a person reads.
func hostOf(s ipc.Server) string {
	host, _, _ := strings.Cut(strings.TrimPrefix(s.URL, "https://"), "/")
	return strings.TrimSuffix(host, ":443")
}
