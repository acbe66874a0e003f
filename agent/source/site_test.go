package source

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	authv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

const (
	lent    = "opaque-s3cr3t-0123456789abcdef"
	lentAPI = "CW-SECRET-s3cr3t0123456789abcdef"
)

// A site is an https server that remembers what it was asked.
type site struct {
	*httptest.Server
	mu   sync.Mutex
	seen []string // "PATH TOKEN BODY"
}

func newSite(t *testing.T, h http.HandlerFunc) *site {
	t.Helper()
	s := &site{}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // or the server would not notice that its client has left
		s.mu.Lock()
		s.seen = append(s.seen, r.URL.Path+" "+strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")+" "+string(body))
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

// loan is a token that is bound to the site.
func (s *site) loan(token string) agent.Loan {
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	return agent.Loan{Token: ipc.NewSecret(token), Server: ipc.Server{URL: s.URL, CASHA256: agent.Fingerprint(ca)}, CA: ca}
}

// lends is an occasion on which that is lent.
func lends(l agent.Loan) agent.Occasion {
	return agent.Occasion{Credential: "train", Lend: func(context.Context, string, string) (agent.Loan, error) { return l, nil }}
}

// builder is the service account of the tests.
func builder() *ServiceAccount {
	return &ServiceAccount{Namespace: "ci", Name: "builder", Lifetime: time.Hour}
}

// mints answers with a token that ends at that time.
func mints(token string, end time.Time, headers ...string) http.HandlerFunc {
	body, _ := json.Marshal(authv1.TokenRequest{
		TypeMeta: requestType,
		Status:   authv1.TokenRequestStatus{Token: token, ExpirationTimestamp: metav1.NewTime(end)},
	})
	return say(http.StatusCreated, string(body), headers...)
}

// refuses answers with a Status, as an API server does.
func refuses(code int, message string) http.HandlerFunc {
	body, _ := json.Marshal(metav1.Status{
		TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: int32(code), Message: message,
	})
	return say(code, string(body))
}

// say answers with a body in which TOKEN stands for the token that came. Headers
// are "Name: value"; an empty value takes the header away.
func say(code int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		for _, h := range headers {
			name, value, _ := strings.Cut(h, ": ")
			if value == "" {
				w.Header()[name] = nil
			} else {
				w.Header().Set(name, value)
			}
		}
		w.WriteHeader(code)
		io.WriteString(w, strings.ReplaceAll(body, "TOKEN", strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")))
	}
}

// raw writes bytes that need not be HTTP.
func raw(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		io.WriteString(conn, strings.ReplaceAll(text, "TOKEN", strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")))
		conn.Close()
	}
}

// newProxy takes every CONNECT to the site, whatever it asks for.
func newProxy(t *testing.T, to *site) *httptest.Server {
	t.Helper()
	p := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		far, err := net.Dial("tcp", to.Listener.Addr().String())
		if err != nil || r.Method != http.MethodConnect {
			http.Error(w, "no", http.StatusBadGateway)
			return
		}
		defer far.Close()
		near, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer near.Close()
		io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n")
		var both sync.WaitGroup
		both.Go(func() { io.Copy(far, near); far.Close() })
		io.Copy(near, far)
		near.Close()
		both.Wait()
	}))
	t.Cleanup(p.Close)
	return p
}
