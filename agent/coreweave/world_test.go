package coreweave

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

const (
	cwToken    = "CW-SECRET-s3cr3t0123456789abcdef"
	otherToken = "eyJhbGciOiJub25lIn0.s3cr3t0123456789abcdef.x"
)

// A site is an https server that remembers which tokens it has seen.
type site struct {
	*httptest.Server
	mu   sync.Mutex
	seen []string // "METHOD PATH TOKEN"
}

func newSite(t *testing.T, h http.HandlerFunc) *site {
	t.Helper()
	s := &site{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // or the server would not notice that its client has left
		s.mu.Lock()
		s.seen = append(s.seen, r.Method+" "+r.URL.Path+" "+strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
		s.mu.Unlock()
		h(w, r)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that do not trust it
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *site) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.seen...)
}

func (s *site) ca() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

func (s *site) caFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, s.ca(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// server is the site as a credential is bound to it.
func (s *site) server() ipc.Server {
	return ipc.Server{URL: s.URL, CASHA256: agent.Fingerprint(s.ca())}
}

func newVerifier(t *testing.T, endpoint *site) *Verifier {
	t.Helper()
	v, err := New(Config{Endpoint: endpoint.URL, CAFile: endpoint.caFile(t)})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// request asks about a token that is bound to those sites.
func request(token string, bound ...*site) agent.VerifyRequest {
	r := agent.VerifyRequest{Token: ipc.NewSecret(token), CAs: map[string][]byte{}}
	for _, s := range bound {
		r.Servers = append(r.Servers, s.server())
		r.CAs[agent.Fingerprint(s.ca())] = s.ca()
	}
	return r
}

// verify checks what must hold for every verdict.
func verify(t *testing.T, v *Verifier, r agent.VerifyRequest) agent.Verdict {
	t.Helper()
	got := v.Verify(context.Background(), r)
	for _, part := range []string{"s3cr3t", "0123456789", "<", "\n", "\x1b"} {
		if text := fmt.Sprintf("%+v", got); strings.Contains(text, part) {
			t.Errorf("the verdict holds %q: %s", part, text)
		}
	}
	if got.Why == "" || got.At.IsZero() || time.Since(got.At).Abs() > time.Minute {
		t.Errorf("incomplete: %+v", got)
	}
	if got.Life != agent.Alive && got.Identity != (ipc.Identity{}) {
		t.Errorf("an identity without a life: %+v", got)
	}
	return got
}

// say answers with a status, a content type and a body, each of which may hold
// TOKEN for the token that came.
func say(status int, mime, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if mime != "" {
			w.Header().Set("Content-Type", mime)
		} else {
			w.Header()["Content-Type"] = nil
		}
		w.WriteHeader(status)
		io.WriteString(w, strings.ReplaceAll(body, "TOKEN", token))
	}
}

func hang(_ http.ResponseWriter, r *http.Request) {
	<-r.Context().Done()
	panic(http.ErrAbortHandler)
}

// raw writes bytes that need not be HTTP.
func raw(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		io.WriteString(conn, strings.ReplaceAll(text, "TOKEN", token))
		conn.Close()
	}
}

func huge(status int, start string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		io.WriteString(w, start)
		for block := bytes.Repeat([]byte(" "), 1<<20); ; {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}
}

const (
	js   = "application/json"
	html = "text/html; charset=utf-8"
	page = "<!doctype html><title>403 Forbidden</title><p>Your token TOKEN was not accepted.\n"

	principal = `{"principal":{"uid":"u-1","orgUid":"cw7f2e","groups":["admin"],"consoleActions":[]}}`
	clusters  = `{"items":[{"id":"c-1","name":"east","zone":"US-EAST-04A","apiServerEndpoint":"https://x","status":"STATUS_RUNNING"}]}`

	review       = `{"kind":"SelfSubjectReview","apiVersion":"authentication.k8s.io/v1","metadata":{},"status":{"userInfo":{"username":"jane","uid":"u-1"}}}`
	status401    = `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}`
	status403    = `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"forbidden: the access token is not valid","reason":"Forbidden","code":403}`
	statusDenied = `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"selfsubjectreviews.authentication.k8s.io is forbidden: User \"%s\" cannot create resource \"selfsubjectreviews\" in API group \"authentication.k8s.io\" at the cluster scope","reason":"Forbidden","details":{"group":"authentication.k8s.io","kind":"selfsubjectreviews"},"code":403}`
)
