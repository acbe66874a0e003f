package coreweave

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cwagent/cwagent/agent"
)

// signedBy is say with headers, as "Name: value".
func signedBy(answer http.HandlerFunc, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			w.Header().Add(name, value)
		}
		answer(w, r)
	}
}

// TestWhoseRefusal: a 401 or 403 kills a credential, so it has to be CoreWeave's
// own. The first is what squid says, whose certificate a company trusts.
func TestWhoseRefusal(t *testing.T) {
	t.Parallel()
	const squid, refusal = "Authentication required by corporate gateway\n", `{"code":"unauthenticated","message":"TOKEN"}`
	tests := []struct {
		name    string
		body    string
		mime    string
		headers []string
		ours    bool
	}{
		{"squid", squid, "text/plain", []string{"Server: squid"}, false},
		{"a sentence", "Unauthorized\n", "text/plain; charset=utf-8", nil, false},
		{"a sentence without a type", "Unauthorized", "", nil, false},
		{"a sentence that claims to be JSON", "Unauthorized", js, nil, false},
		{"a string", `"Unauthorized"`, js, nil, false},
		{"a list", `[{}]`, js, nil, false},
		{"null", `null`, js, nil, false},
		{"half an object", `{"code":`, js, nil, false},
		{"two objects", `{}{}`, js, nil, false},

		{"JSON", refusal, js, nil, true},
		{"JSON with a charset", refusal, js + "; charset=utf-8", nil, true},
		{"JSON of another kind", refusal, "application/problem+json", nil, true},
		{"JSON without a type", refusal, "", nil, true},
		{"JSON, a bearer token is wanted", refusal, js, []string{`WWW-Authenticate: Bearer realm="cw", error="invalid_token"`}, true},
		{"JSON that a proxy passed on", refusal, js, []string{"Server: cloudflare", "Via: 1.1 proxy"}, true},
		{"JSON, Basic is wanted", refusal, js, []string{`WWW-Authenticate: basic realm="x"`}, false},
		{"JSON, NTLM is wanted too", refusal, js, []string{"WWW-Authenticate: Bearer", "WWW-Authenticate: NTLM"}, false},
		{"JSON, Negotiate is wanted in one line", refusal, js, []string{`WWW-Authenticate: Bearer realm="x", Negotiate`}, false},
		{"JSON, for a proxy", refusal, js, []string{`Proxy-Authenticate: Bearer`}, false},

		{"empty", "", "", nil, true},
		{"empty JSON", "", js, nil, true},
		{"empty, a bearer token is wanted", "", "", []string{"WWW-Authenticate: Bearer"}, true},
		{"empty text", "", "text/plain", nil, false},
		{"empty, squid", "", "", []string{"Server: squid/6.1"}, false},
		{"empty, via", "", "", []string{"Via: 1.1 gateway.corp"}, false},
		{"empty, a cache", "", "", []string{"X-Cache: MISS"}, false},
		{"empty, squid's error", "", "", []string{"X-Squid-Error: ERR_CACHE_ACCESS_DENIED 0"}, false},
		{"empty, a proxy's connection", "", "", []string{"Proxy-Connection: close"}, false},
		{"empty, Negotiate", "", "", []string{"WWW-Authenticate: Negotiate"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wantOurs(t, 401, tt.ours, signedBy(say(401, tt.mime, tt.body), tt.headers...))
			wantOurs(t, 403, tt.ours, signedBy(say(403, tt.mime, tt.body), tt.headers...))
		})
	}
}

// wantOurs asks whoami, and the list of clusters where there is no whoami. A
// bound server refuses the token, which kills it if CoreWeave says 403 as well.
func wantOurs(t *testing.T, status int, ours bool, refuse http.HandlerFunc) {
	t.Helper()
	server := newSite(t, say(401, js, status401))
	noWhoami := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == whoamiPath {
			http.NotFound(w, r)
			return
		}
		refuse(w, r)
	}
	want := unknown
	if ours {
		want = agent.Rejected
	}
	for what, answer := range map[string]http.HandlerFunc{"whoami": refuse, "cks/clusters": noWhoami} {
		got := verify(t, newVerifier(t, newSite(t, answer)), request(cwToken, server))
		if got.Life != want || strings.Contains(got.Why, "not as CoreWeave's API does") == ours {
			t.Errorf("%s, %d: %s %q", what, status, got.Life, got.Why)
		}
	}
}

// TestInsecure: who blocks the endpoint and plays the server would get a token of
// the whole organization.
func TestInsecure(t *testing.T) {
	t.Parallel()
	for name, blocked := range map[string]http.HandlerFunc{
		"silence": raw(""), "500": say(500, js, "{}"), "403": say(403, js, "{}"), "no whoami": http.NotFound,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			insecure, server := newSite(t, known), newSite(t, known)
			r := request(cwToken, insecure)
			r.Servers[0].CASHA256, r.Servers[0].Insecure = "", true
			v := newVerifier(t, newSite(t, blocked))
			got := verify(t, v, r)
			if got.Life != unknown || !strings.Contains(got.Why, " cannot be asked: with insecure-skip-tls-verify anybody on the way would get the") {
				t.Errorf("%s %q", got.Life, got.Why)
			}
			more := request(cwToken, server)
			r.Servers, r.CAs = append(r.Servers, more.Servers...), more.CAs
			if got := verify(t, v, r); got.Life != agent.Alive {
				t.Errorf("another server can be asked: %s %q", got.Life, got.Why)
			}
			r.Token = request(otherToken).Token
			r.Servers = r.Servers[:1]
			if got := verify(t, v, r); got.Life != agent.Alive {
				t.Errorf("another vendor's token: %s %q", got.Life, got.Why)
			}
			for _, asked := range insecure.asked() {
				if strings.Contains(asked, cwToken) {
					t.Errorf("it was asked %q", asked)
				}
			}
		})
	}
}
