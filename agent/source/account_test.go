package source

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// TestServiceAccount: the answer decides when the token ends, by the clock of
// the server that gives it.
func TestServiceAccount(t *testing.T) {
	t.Parallel()
	date := func(d time.Duration) string { return "Date: " + noon.Add(d).Format(http.TimeFormat) }
	for _, tt := range []struct {
		name    string
		answer  http.HandlerFunc
		expires time.Time
	}{
		{"the same clock", mints("s3cr3t", noon.Add(time.Hour), date(0)), noon.Add(time.Hour - time.Second)},
		{"shortened", mints("s3cr3t", noon.Add(10*time.Minute), date(0)), noon.Add(10*time.Minute - time.Second)},
		{"a day ahead", mints("s3cr3t", noon.Add(25*time.Hour), date(24*time.Hour)), noon.Add(time.Hour - time.Second)},
		{"a day behind", mints("s3cr3t", noon.Add(-23*time.Hour), date(-24*time.Hour)), noon.Add(time.Hour - time.Second)},
		{"no Date", mints("s3cr3t", noon.Add(time.Hour), "Date: "), noon.Add(time.Hour)},
		{"no date", mints("s3cr3t", noon.Add(time.Hour), "Date: soon"), noon.Add(time.Hour)},
		{"out of a cache", mints("s3cr3t", noon.Add(time.Hour), date(24*time.Hour), "Age: 7"), noon.Add(time.Hour)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := builder()
			s.Now = func() time.Time { return noon }
			place := newSite(t, tt.answer)
			m, err := s.Next(t.Context(), lends(place.loan(lent)))
			if err != nil || m.Secret.Reveal() != "s3cr3t" || m.Expiry != ipc.ExpiryKnown || !m.Expires.Equal(tt.expires) || !m.Created.Equal(noon) {
				t.Errorf("%+v, %v", m, err)
			}
			want := `/api/v1/namespaces/ci/serviceaccounts/builder/token ` + lent + ` {"kind":"TokenRequest","apiVersion":"authentication.k8s.io/v1",`
			if got := place.asked(); len(got) != 1 || !strings.HasPrefix(got[0], want) || !strings.Contains(got[0], `"expirationSeconds":3600,`) {
				t.Errorf("asked %q", got)
			}
		})
	}
	if k := builder().Kind(); k != "serviceAccount" {
		t.Errorf("kind %q", k)
	}
}

func TestServiceAccountBad(t *testing.T) {
	t.Parallel()
	elsewhere := newSite(t, mints("s3cr3t", time.Now().Add(time.Hour)))
	t.Cleanup(func() {
		if n := len(elsewhere.asked()); n != 0 {
			t.Errorf("a redirect was followed %d times", n)
		}
	})
	const page = "<!doctype html><p>TOKEN"
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		class  agent.Class
		why    string
	}{
		{"401", refuses(401, "Unauthorized"), agent.Denied, " says 401: Unauthorized"},
		{"403", refuses(403, `User "jane" cannot create resource "serviceaccounts/token"`), agent.Denied, ` says 403: User "jane" cannot create resource "serviceaccounts/token"`},
		{"404", refuses(404, `serviceaccounts "builder" not found`), agent.Broken, ` says 404: serviceaccounts "builder" not found`},
		{"400", refuses(400, "the request is bad"), agent.Broken, " says 400: the request is bad"},
		{"422", refuses(422, "may not specify a duration less than 10 minutes"), agent.Broken, " says 422: may not specify"},
		{"429", refuses(429, "too many requests"), agent.Transient, " says 429: too many requests"},
		{"500", refuses(500, "internal error"), agent.Transient, " says 500: internal error"},
		{"503", say(503, "busy"), agent.Transient, " says 503, but not as an API server does"},
		{"no message", refuses(403, ""), agent.Denied, " says 403"},
		{"a message with the token", refuses(403, "no \x1b[1mTOKEN here\nnor CW-SECRET-x"), agent.Denied, " says 403: no [secret] here; nor [secret]"},
		{"401 of a proxy", say(401, page), agent.Transient, " says 401, but not as an API server does: a proxy, or a portal"},
		{"403 of a gateway", say(403, `{"error":"TOKEN"}`), agent.Transient, " says 403, but not as an API server does"},
		{"404 of a web server", say(404, page), agent.Transient, " says 404, but not as an API server does"},
		{"403 that is said to be 401", say(403, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":401}`), agent.Transient, " says 403, but not as"},
		{"a portal", say(200, page), agent.Transient, " says 200, but not with a token: a proxy, or a portal"},
		{"a redirect", say(307, "", "Location: "+elsewhere.URL), agent.Transient, " says 307 (a redirect, not followed)"},
		{"another kind", say(201, `{"kind":"Secret","apiVersion":"v1","status":{"token":"TOKEN"}}`), agent.Transient, " says 201, but not with a token"},
		{"no end", say(201, `{"kind":"TokenRequest","apiVersion":"authentication.k8s.io/v1","status":{"token":"TOKEN"}}`), agent.Transient, "but not with a token"},
		{"too much", say(201, strings.Repeat(" ", maxBody+1)), agent.Transient, " says 201, but not with a token"},
		{"no token", mints("", time.Now().Add(time.Hour)), agent.Broken, " says 201 with an empty token"},
		{"two tokens", mints("s3cr3t s3cr3t", time.Now().Add(time.Hour)), agent.Broken, " says 201 with a token with blanks"},
		{"an ended one", mints("s3cr3t", time.Now().Add(-time.Hour)), agent.Broken, " says 201 with a token that lives for -1h"},
		{"not HTTP", raw("TOKEN\n"), agent.Transient, ": the answer is not HTTP"},
		{"nothing", raw(""), agent.Transient, ": the connection ended before the answer did"},
		{"half an answer", raw("HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{"), agent.Transient, ": the connection ended before the answer did"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m, err := builder().Next(t.Context(), lends(newSite(t, tt.answer).loan(lent)))
			e := wantError(t, m, err, tt.class, tt.why)
			if !strings.HasPrefix(e.Why, "serviceAccount ci/builder: 127.0.0.1:") || tt.class == agent.Denied && e.Hint == "" {
				t.Errorf("%q, hint %q", e.Why, e.Hint)
			}
		})
	}
}

func TestServiceAccountSilence(t *testing.T) {
	t.Parallel()
	place := newSite(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done(); panic(http.ErrAbortHandler) })
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	m, err := builder().Next(ctx, lends(place.loan(lent)))
	wantError(t, m, err, agent.Transient, ": no answer in time")

	gone := newSite(t, nil)
	l := gone.loan(lent)
	gone.Close()
	m, err = builder().Next(t.Context(), lends(l))
	wantError(t, m, err, agent.Transient, "connection refused")
}

// TestBound: a server is reached as it is bound, or not at all.
func TestBound(t *testing.T) {
	t.Parallel()
	place := newSite(t, mints("s3cr3t", time.Now().Add(time.Hour)))
	proxy := newProxy(t, place)
	for _, tt := range []struct {
		name   string
		token  string
		change func(*agent.Loan)
		class  agent.Class // empty: it works
		why    string
	}{
		{"as bound", lentAPI, func(*agent.Loan) {}, "", ""},
		{"tls-server-name", lent, func(l *agent.Loan) { l.Server.TLSServerName = "example.com" }, "", ""},
		{"another tls-server-name", lent, func(l *agent.Loan) { l.Server.TLSServerName = "other.test" }, agent.Transient, "certificate is valid for example.com"},
		{"the system's roots", lent, func(l *agent.Loan) { l.Server.CASHA256, l.CA = "", nil }, agent.Transient, "certificate"},
		{"no authority at hand", lent, func(l *agent.Loan) { l.CA = nil }, agent.Broken, "its certificate authority is not at hand"},
		{"no certificate", lent, func(l *agent.Loan) { l.CA = []byte("x"); l.Server.CASHA256 = agent.Fingerprint(l.CA) }, agent.Broken, "no certificate in the data"},
		{"insecure", lent, func(l *agent.Loan) { l.Server.CASHA256, l.CA, l.Server.Insecure = "", nil, true }, "", ""},
		{"insecure with an API token", lentAPI, func(l *agent.Loan) { l.Server.CASHA256, l.CA, l.Server.Insecure = "", nil, true }, agent.Broken, "anybody on the way would get the API Access Token"},
		{"insecure with an authority", lent, func(l *agent.Loan) { l.Server.Insecure = true }, agent.Broken, "exclude each other"},
		{"http", lent, func(l *agent.Loan) { l.Server.URL = "http" + strings.TrimPrefix(l.Server.URL, "https") }, agent.Broken, "only https servers get a token"},
		{"a proxy", lent, func(l *agent.Loan) { l.Server.URL, l.Server.ProxyURL = "https://example.com:443", proxy.URL }, "", ""},
		{"a proxy with a password", lent, func(l *agent.Loan) { l.Server.ProxyURL, l.Server.ProxySHA256 = proxy.URL, "ab" }, agent.Broken, "its proxy wants a password"},
		{"no proxy", lent, func(l *agent.Loan) { l.Server.ProxyURL = "http://me:s3cr3t@[::1" }, agent.Broken, "its proxy-url is not a URL"},
		{"a path", lent, func(l *agent.Loan) { l.Server.URL += "/k8s/clusters/c-1" }, "", ""},
	} {
		l := place.loan(tt.token)
		tt.change(&l)
		before := len(place.asked())
		m, err := builder().Next(t.Context(), lends(l))
		if tt.class == "" {
			if err != nil || m.Secret.Empty() || len(place.asked()) != before+1 {
				t.Errorf("%s: %+v, %v", tt.name, m, err)
			}
			continue
		}
		wantError(t, m, err, tt.class, tt.why)
		if len(place.asked()) != before {
			t.Errorf("%s: it was asked", tt.name)
		}
	}
	if asked := place.asked(); !strings.HasPrefix(asked[len(asked)-1], "/k8s/clusters/c-1/api/v1/namespaces/ci/") {
		t.Errorf("%q", asked)
	}
}

// TestWrongEndpoint: a token at the wrong one of a cluster's two endpoints is
// named as such, whoever it is that refuses it.
func TestWrongEndpoint(t *testing.T) {
	t.Parallel()
	const host = "cw7f2e-ac58c12a.k8s.us-east-04a.coreweave.com"
	for _, tt := range []struct{ token, host, why string }{
		{lentAPI, "api." + host, "; it is the wrong endpoint: api." + host + " takes no API Access Tokens, " + host + " does"},
		{lent, host, "; it is the wrong endpoint: " + host + " takes API Access Tokens only, others go to api." + host},
		{lentAPI, "api.private.test", "; it is the wrong endpoint: api.private.test takes no API Access Tokens, private.test does"},
		{lentAPI, host, " says 401: Unauthorized"},
		{lent, "api." + host, " says 401: Unauthorized"},
		{lent, "private.test", " says 401: Unauthorized"},
	} {
		place := newSite(t, refuses(401, "Unauthorized"))
		l := place.loan(tt.token)
		l.Server.URL, l.Server.TLSServerName, l.Server.ProxyURL = "https://"+tt.host+":443", "example.com", newProxy(t, place).URL
		m, err := builder().Next(t.Context(), lends(l))
		if e := wantError(t, m, err, agent.Denied, tt.why); !strings.HasSuffix(e.Why, tt.why) {
			t.Errorf("%s", e.Why)
		}
	}
}

// TestLend: whose token is asked for, and what becomes of its lender's troubles.
func TestLend(t *testing.T) {
	t.Parallel()
	place := newSite(t, mints("s3cr3t", time.Now().Add(time.Hour)))
	for _, from := range []string{"", "prod"} {
		s := builder()
		s.From, s.Server = from, "https://x"
		_, err := s.Next(t.Context(), agent.Occasion{Credential: "train", Lend: func(_ context.Context, credential, url string) (agent.Loan, error) {
			if want := from; url != "https://x" || credential != want && (want != "" || credential != "train") {
				t.Errorf("lend %q for %q", credential, url)
			}
			return place.loan(lent), nil
		}})
		if err != nil {
			t.Error(err)
		}
	}
	for code, class := range map[ipc.Code]agent.Class{
		ipc.CodeExpired: agent.Denied, ipc.CodeEmpty: agent.Denied, ipc.CodeRefused: agent.Denied,
		ipc.CodeNotFound: agent.Broken, ipc.CodeNotBound: agent.Broken, ipc.CodeLocked: agent.Transient, ipc.CodeRenewing: agent.Transient,
	} {
		m, err := builder().Next(t.Context(), agent.Occasion{Lend: func(context.Context, string, string) (agent.Loan, error) {
			return agent.Loan{}, &ipc.Error{Code: code, What: "credential \"prod\": why", Hint: "do that"}
		}})
		if e := wantError(t, m, err, class, `serviceAccount ci/builder: no token to ask with: credential "prod": why`); e.Hint != "do that" {
			t.Errorf("hint %q", e.Hint)
		}
	}
	m, err := builder().Next(t.Context(), agent.Occasion{Lend: func(context.Context, string, string) (agent.Loan, error) {
		return agent.Loan{}, errors.New("why")
	}})
	wantError(t, m, err, agent.Transient, "no token to ask with: why")

	for _, bad := range []string{"", "..", "a/b", "A", "-a", "a?b", strings.Repeat("a", 254)} {
		s := builder()
		s.Name = bad
		m, err := s.Next(t.Context(), agent.Occasion{}) // before anything is lent
		wantError(t, m, err, agent.Broken, "not names that Kubernetes has")
	}
	if got := place.asked(); len(got) != 2 || slices.ContainsFunc(got, func(s string) bool { return !strings.Contains(s, lent) }) {
		t.Errorf("asked %q", got)
	}
}
