package coreweave

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

var (
	known   = say(201, js, review)
	whose   = ipc.Identity{UID: "u-1", OrgUID: "cw7f2e"}
	jane    = ipc.Identity{User: "jane"}
	unknown = agent.Unknown
)

// endpointTests are about a token of CoreWeave's: what whoami says, what the one
// bound server says (nil: none is bound), what follows.
var endpointTests = []struct {
	name     string
	whoami   http.HandlerFunc
	server   http.HandlerFunc
	want     agent.Life
	identity ipc.Identity
	why      string
}{
	{"200", say(200, js, principal), say(401, js, status401), agent.Alive, whose, "whoami says 200"},
	{"200 as text", say(200, "", principal), nil, agent.Alive, whose, "whoami says 200"},
	{"200 portal", say(200, html, page), nil, unknown, ipc.Identity{}, "whoami says 200 but with a web page"},
	{"200 portal, typed as JSON", say(200, js, "\ufeff \n"+page), nil, unknown, ipc.Identity{}, "with a web page"},
	{"200 other JSON", say(200, js, `{"status":"ok"}`), nil, unknown, ipc.Identity{}, "not in the documented form"},
	{"200 null", say(200, js, `null`), nil, unknown, ipc.Identity{}, "not in the documented form"},
	{"200 no org", say(200, js, `{"principal":{"uid":"u"}}`), nil, unknown, ipc.Identity{}, "not in the documented form"},
	{"200 uid a number", say(200, js, `{"principal":{"uid":1,"orgUid":"o"}}`), nil, unknown, ipc.Identity{}, "not in the documented form"},
	{"200 the token for a uid", say(200, js, `{"principal":{"uid":"u TOKEN","orgUid":"o"}}`), nil, unknown, ipc.Identity{}, "not in the documented form"},
	{"200 escapes for a uid", say(200, js, `{"principal":{"uid":"\u001b[2J","orgUid":"o"}}`), nil, unknown, ipc.Identity{}, "not in the documented form"},
	{"200 empty", say(200, js, ""), nil, unknown, ipc.Identity{}, "not in the documented form"},
	{"200 huge", huge(200, `{"principal":{"uid":"u","orgUid":"o"}}`), nil, unknown, ipc.Identity{}, "more than can be true"},
	{"204", say(204, "", ""), nil, unknown, ipc.Identity{}, "whoami says 204"},

	{"401 json", say(401, js, `{"code":"unauthenticated","message":"TOKEN"}`), known, agent.Rejected, ipc.Identity{}, "whoami says 401"},
	{"401 text", say(401, "text/plain", "no: TOKEN\n"), nil, unknown, ipc.Identity{}, "whoami says 401, but not as CoreWeave's API does"},
	{"401 empty", say(401, "", ""), nil, agent.Rejected, ipc.Identity{}, "whoami says 401"},
	{"401 huge", huge(401, `{"code":"unauthenticated"}`), nil, unknown, ipc.Identity{}, "whoami says 401, but not as CoreWeave's API does"},
	{"401 html", say(401, html, page), nil, unknown, ipc.Identity{}, "whoami: 401, but with a web page"},
	{"401 html, typed as text", say(401, "text/plain", page), nil, unknown, ipc.Identity{}, "401, but with a web page"},
	{"401 html, empty", say(401, html, ""), nil, unknown, ipc.Identity{}, "401, but with a web page"},

	{"403", say(403, js, `{}`), nil, unknown, ipc.Identity{}, "whoami says 403; it is bound to no server"},
	{"403 text, server 401", say(403, "text/plain", "no"), say(401, js, status401), unknown, ipc.Identity{}, "but not as CoreWeave's API does"},
	{"403, server 201", say(403, js, `{}`), known, agent.Alive, jane, "knows the token"},
	{"403, server 401", say(403, js, `{}`), say(401, js, status401), agent.Rejected, ipc.Identity{}, "whoami says 403; 127.0.0.1:"},
	{"403, server 403", say(403, js, `{}`), say(403, js, status403), agent.Rejected, ipc.Identity{}, " says 403"},
	{"403, server html 403", say(403, js, `{}`), say(403, html, page), unknown, ipc.Identity{}, "403, but with a web page"},
	{"403, server bare 401", say(403, js, `{}`), say(401, js, `{}`), unknown, ipc.Identity{}, "401, but not as an API server does"},
	{"403, server 500", say(403, js, `{}`), say(500, js, `{}`), unknown, ipc.Identity{}, "says 500"},
	{"html 403, server 401", say(403, html, page), say(401, js, status401), unknown, ipc.Identity{}, "403, but with a web page"},
	{"html 403, server 201", say(403, html, page), known, agent.Alive, jane, "knows the token"},

	{"500", say(500, js, `{"error":"TOKEN"}`), nil, unknown, ipc.Identity{}, "whoami says 500"},
	{"500, server 403", say(500, js, `{}`), say(403, js, status403), unknown, ipc.Identity{}, "whoami says 500; 127.0.0.1:"},
	{"500, server 201", say(500, js, `{}`), known, agent.Alive, jane, "knows the token"},
	{"502 html", say(502, html, page), nil, unknown, ipc.Identity{}, "whoami: 502, but with a web page"},
	{"429", say(429, js, `{}`), nil, unknown, ipc.Identity{}, "whoami says 429"},
	{"407", say(407, js, `{}`), nil, unknown, ipc.Identity{}, "whoami says 407"},
	{"not HTTP", raw("TOKEN is what you sent\n"), nil, unknown, ipc.Identity{}, "the answer is not HTTP"},
	{"not HTTP, half of the token", raw("HTTP/1.1 s3cr3t0123456789 x\r\n\r\n"), nil, unknown, ipc.Identity{}, "the answer is not HTTP"},
	{"bad header", raw("HTTP/1.1 200 OK\r\nTOKEN\r\n\r\n"), nil, unknown, ipc.Identity{}, "the answer is not HTTP"},
	{"cut off", raw("HTTP/1.1 401 No\r\nContent-Length: 100\r\n\r\n{"), nil, unknown, ipc.Identity{}, "ended before the answer did"},
	{"closed", raw(""), nil, unknown, ipc.Identity{}, "ended before the answer did"},
	{"endless header", raw("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("TOKEN", 4000) + "\r\n\r\n"), nil, unknown, ipc.Identity{}, "the answer is not HTTP"},
}

func TestEndpoint(t *testing.T) {
	t.Parallel()
	for _, tt := range endpointTests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			endpoint := newSite(t, tt.whoami)
			var bound []*site
			if tt.server != nil {
				bound = append(bound, newSite(t, tt.server))
			}
			got := verify(t, newVerifier(t, endpoint), request(cwToken, bound...))
			if got.Life != tt.want || got.Identity != tt.identity || !strings.Contains(got.Why, tt.why) {
				t.Errorf("got %s %+v %q", got.Life, got.Identity, got.Why)
			}
			if asked := endpoint.asked(); len(asked) != 1 || asked[0] != "GET /v1beta1/auth/whoami "+cwToken {
				t.Errorf("the endpoint was asked %q", asked)
			}
		})
	}
}

// TestClusters is the documented way where there is no whoami.
func TestClusters(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		clusters http.HandlerFunc
		server   http.HandlerFunc
		want     agent.Life
		identity ipc.Identity
	}{
		{"200", say(200, js, clusters), nil, agent.Alive, ipc.Identity{}},
		{"200, none", say(200, js, `{"items":[]}`), nil, agent.Alive, ipc.Identity{}},
		{"200, more than fits", huge(200, clusters[:len(clusters)-2]+","), nil, agent.Alive, ipc.Identity{}},
		{"200, other keys first", say(200, js, `{"next":{"a":[1]},"items":[{"id":"c","name":"n"}]}`), nil, agent.Alive, ipc.Identity{}},
		{"200 other JSON", say(200, js, `{"data":[]}`), nil, unknown, ipc.Identity{}},
		{"200 items null", say(200, js, `{"items":null}`), nil, unknown, ipc.Identity{}},
		{"200 strange items", say(200, js, `{"items":[1]}`), nil, unknown, ipc.Identity{}},
		{"200 a list", say(200, js, `[]`), nil, unknown, ipc.Identity{}},
		{"200 html", say(200, html, page), nil, unknown, ipc.Identity{}},
		{"401 alone", say(401, js, `{}`), nil, unknown, ipc.Identity{}},
		{"401, server 401", say(401, js, `{}`), say(401, js, status401), agent.Rejected, ipc.Identity{}},
		{"403, server 201", say(403, js, `{}`), known, agent.Alive, jane},
		{"404, server 401", say(404, js, `{}`), say(401, js, status401), unknown, ipc.Identity{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			endpoint := newSite(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/v1beta1/cks/clusters" {
					tt.clusters(w, r)
					return
				}
				http.NotFound(w, r)
			})
			var bound []*site
			if tt.server != nil {
				bound = append(bound, newSite(t, tt.server))
			}
			got := verify(t, newVerifier(t, endpoint), request(cwToken, bound...))
			if got.Life != tt.want || got.Identity != tt.identity {
				t.Errorf("got %s %+v %q", got.Life, got.Identity, got.Why)
			}
			if n := len(endpoint.asked()); n != 2 {
				t.Errorf("the endpoint was asked %d times", n)
			}
		})
	}
}

// TestOtherTokens is what is not CoreWeave's: the endpoint never sees it.
func TestOtherTokens(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		servers []http.HandlerFunc
		want    agent.Life
		why     string
	}{
		{"201", []http.HandlerFunc{known}, agent.Alive, "knows the token"},
		{"200", []http.HandlerFunc{say(200, js, review)}, agent.Alive, "knows the token"},
		{"401", []http.HandlerFunc{say(401, js, status401)}, agent.Rejected, "says 401"},
		{"403", []http.HandlerFunc{say(403, js, status403)}, agent.Rejected, "says 403"},
		{"403 anonymous", []http.HandlerFunc{say(403, js, fmt.Sprintf(statusDenied, anonymous))}, agent.Rejected, "says 403"},
		{"403 for the user", []http.HandlerFunc{say(403, js, fmt.Sprintf(statusDenied, "jane"))}, unknown, "does not let this user ask"},
		{"401, wrong code", []http.HandlerFunc{say(401, js, status403)}, unknown, "but not as an API server does"},
		{"401 html", []http.HandlerFunc{say(401, html, page)}, unknown, "with a web page"},
		{"401 text", []http.HandlerFunc{say(401, "text/plain", "Unauthorized")}, unknown, "but not as an API server does"},
		{"401 huge", []http.HandlerFunc{huge(401, status401)}, unknown, "says 401"},
		{"404", []http.HandlerFunc{say(404, js, `{}`)}, unknown, "came with Kubernetes 1.28"},
		{"302", []http.HandlerFunc{say(302, js, `{}`)}, unknown, "302 (a redirect, not followed)"},
		{"201 html", []http.HandlerFunc{say(201, html, page)}, unknown, "not whose token"},
		{"201 nobody", []http.HandlerFunc{say(201, js, strings.Replace(review, "jane", anonymous, 1))}, unknown, "not whose token"},
		{"201 no name", []http.HandlerFunc{say(201, js, strings.Replace(review, "jane", "", 1))}, unknown, "not whose token"},
		{"201 the token for a name", []http.HandlerFunc{say(201, js, strings.Replace(review, "jane", "TOKEN", 1))}, unknown, "not whose token"},
		{"201 another kind", []http.HandlerFunc{say(201, js, strings.Replace(review, "Self", "Elf", 1))}, unknown, "not whose token"},
		{"201 huge", []http.HandlerFunc{huge(201, review)}, unknown, "not whose token"},
		{"one knows", []http.HandlerFunc{say(401, js, status401), known}, agent.Alive, "knows the token"},
		{"one refuses", []http.HandlerFunc{say(500, js, "{}"), say(401, js, status401)}, agent.Rejected, "says 500; 127.0.0.1:"},
		{"none", nil, unknown, "bound to no server"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			endpoint := newSite(t, say(200, js, principal))
			var bound []*site
			for _, h := range tt.servers {
				bound = append(bound, newSite(t, h))
			}
			got := verify(t, newVerifier(t, endpoint), request(otherToken, bound...))
			if got.Life != tt.want || !strings.Contains(got.Why, tt.why) {
				t.Errorf("got %s %q", got.Life, got.Why)
			}
			if got.Life == agent.Alive && got.Identity != jane {
				t.Errorf("got %+v", got.Identity)
			}
			if asked := endpoint.asked(); len(asked) > 0 {
				t.Errorf("the endpoint was asked %q", asked)
			}
		})
	}
}

// TestSilence is an endpoint from which nothing comes in time.
func TestSilence(t *testing.T) {
	t.Parallel()
	endpoint, alive := newSite(t, hang), newSite(t, known)
	v := newVerifier(t, endpoint)
	v.limit = 300 * time.Millisecond
	if got := verify(t, v, request(cwToken)); got.Life != unknown || got.Why != "whoami: no answer in time; it is bound to no server yet, and no other one may see it" {
		t.Errorf("alone: %s %q", got.Life, got.Why)
	}
	v.limit = 3 * time.Second
	if got := verify(t, v, request(cwToken, alive)); got.Life != agent.Alive {
		t.Errorf("a server could have been asked: %s %q", got.Life, got.Why)
	}

	slow := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(401)
		http.NewResponseController(w).Flush()
		hang(w, r)
	})
	v = newVerifier(t, slow)
	v.limit = 300 * time.Millisecond
	if got := verify(t, v, request(cwToken)); got.Life != unknown {
		t.Errorf("half an answer: %s %q", got.Life, got.Why)
	}

	gone := newSite(t, known)
	v = newVerifier(t, gone)
	gone.Close()
	if got := verify(t, v, request(cwToken)); got.Life != unknown || !strings.Contains(got.Why, "connection refused") {
		t.Errorf("refused: %s %q", got.Life, got.Why)
	}
}

// TestRedirect: a portal wants to see the token, in each of the usual ways.
func TestRedirect(t *testing.T) {
	t.Parallel()
	portal := newSite(t, say(200, js, principal))
	for _, status := range []int{301, 302, 303, 307, 308} {
		redirect := func(w http.ResponseWriter, r *http.Request) {
			token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			w.Header().Set("Location", portal.URL+"/"+token+"?token="+token)
			w.WriteHeader(status)
		}
		endpoint, server := newSite(t, redirect), newSite(t, redirect)
		got := verify(t, newVerifier(t, endpoint), request(cwToken, server))
		if got.Life != unknown || !strings.Contains(got.Why, "redirect, not followed") {
			t.Errorf("%d: %s %q", status, got.Life, got.Why)
		}
		if len(endpoint.asked()) != 1 || len(server.asked()) != 1 {
			t.Errorf("%d: asked %q, %q", status, endpoint.asked(), server.asked())
		}
	}
	if asked := portal.asked(); len(asked) > 0 {
		t.Errorf("the portal was asked %q", asked)
	}
}

func TestSkew(t *testing.T) {
	t.Parallel()
	ahead := func(by time.Duration, header string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", time.Now().Add(by).UTC().Format(http.TimeFormat))
			if header != "" {
				w.Header().Set(header, "1")
			}
			say(200, js, principal)(w, r)
		}
	}
	tests := []struct {
		name   string
		answer http.HandlerFunc
		want   time.Duration
	}{
		{"right", ahead(0, ""), 0},
		{"a day ahead", ahead(24*time.Hour, ""), 24 * time.Hour},
		{"a day behind", ahead(-24*time.Hour, ""), -24 * time.Hour},
		{"out of a cache", ahead(-24*time.Hour, "Age"), 0},
		{"none", func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Date"] = nil
			say(401, js, "{}")(w, r)
		}, 0},
		{"nonsense", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", "tomorrow "+cwToken)
			say(401, js, "{}")(w, r)
		}, 0},
	}
	for _, tt := range tests {
		got := verify(t, newVerifier(t, newSite(t, tt.answer)), request(cwToken))
		if (got.Skew - tt.want).Abs() > 2*time.Second {
			t.Errorf("%s: %v", tt.name, got.Skew)
		}
	}
}
