package source

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/ipctest"
)

// A bed is a real API server, and the loan of a token that may do anything there.
type bed struct {
	t     *testing.T
	admin agent.Loan
}

func startBed(t *testing.T) bed {
	t.Helper()
	bin, err := filepath.Abs("../../bin/testbed")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(bin); err != nil {
		ipctest.Skip(t, "bin/testbed is not built: make testbed")
	}
	dir := t.TempDir()
	up := exec.Command(bin, "up", dir)
	stderr, err := up.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		up.Process.Signal(os.Interrupt)
		up.Wait()
	})
	if line, err := bufio.NewReader(stderr).ReadString('\n'); err != nil || !strings.Contains(line, "ready") {
		t.Fatalf("testbed up: %q, %v", line, err)
	}
	run := func(args ...string) string {
		out, err := exec.Command(bin, args...).Output()
		if err != nil {
			t.Fatalf("testbed %v: %v", args[:1], err)
		}
		return strings.TrimSpace(string(out))
	}
	ca, err := os.ReadFile(filepath.Join(dir, "ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	server, err := agent.Canonical(ipc.Server{URL: run("server", dir), CASHA256: agent.Fingerprint(ca)})
	if err != nil {
		t.Fatal(err)
	}
	return bed{t, agent.Loan{Token: ipc.NewSecret(run("token", dir, "--raw", "--name", "admin")), Server: server, CA: ca}}
}

// with is the loan of another token.
func (b bed) with(token ipc.Secret) agent.Loan {
	l := b.admin
	l.Token = token
	return l
}

// create posts an object as the admin.
func (b bed) create(path, object string) {
	b.t.Helper()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(b.admin.CA)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.admin.Server.URL+path, bytes.NewReader([]byte(object)))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+b.admin.Token.Reveal())
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		b.t.Fatalf("create %s: %s", path, resp.Status)
	}
}

// mint wants a token.
func (b bed) mint(s *ServiceAccount, by agent.Loan) agent.Minted {
	b.t.Helper()
	m, err := s.Next(b.t.Context(), lends(by))
	if err != nil {
		b.t.Fatal(err)
	}
	return m
}

func (b bed) refused(s *ServiceAccount, by agent.Loan, class agent.Class, why, hint string) {
	b.t.Helper()
	m, err := s.Next(b.t.Context(), lends(by))
	if e := wantError(b.t, m, err, class, why); !strings.Contains(e.Hint, hint) {
		b.t.Errorf("%s: hint %q, want %q", e.Why, e.Hint, hint)
	}
}

// TestRealServer asks a real API server for tokens.
func TestRealServer(t *testing.T) {
	t.Parallel()
	b := startBed(t)
	for _, name := range []string{"builder", "stranger"} {
		b.create("/api/v1/namespaces/default/serviceaccounts", `{"metadata":{"name":"`+name+`"}}`)
	}
	account := func(name string) *ServiceAccount {
		return &ServiceAccount{Namespace: "default", Name: name, Lifetime: 10 * time.Minute}
	}

	start := time.Now()
	m := b.mint(account("builder"), b.admin)
	jwt, ok := readJWT(m.Secret)
	if !ok || jwt.expires.IsZero() {
		t.Fatal("the token does not say when it ends")
	}
	// One machine, one clock: a little too early is right, too late is not.
	if early := jwt.expires.Sub(m.Expires); early < 0 || early > time.Since(start)+3*time.Second {
		t.Errorf("said to end %v before it does", early)
	}
	if left := m.Expires.Sub(start); left > 10*time.Minute || left < 10*time.Minute-5*time.Second || m.Created.Before(start) {
		t.Errorf("%+v, asked for at %v", m, start)
	}
	usual := account("builder")
	usual.Lifetime = 0
	if m := b.mint(usual, b.admin); m.Expires.Sub(start) < 50*time.Minute {
		t.Errorf("what the server gives by itself ends at %v", m.Expires)
	}

	b.refused(account("nobody"), b.admin, agent.Broken, `says 404: serviceaccounts "nobody" not found`, "kubectl create serviceaccount nobody -n default")
	b.refused(account("builder"), b.with(ipc.NewSecret(lent)), agent.Denied, "says 401: Unauthorized", "cwagent verify train")
	short := account("builder")
	short.Lifetime = 599 * time.Second
	b.refused(short, b.admin, agent.Broken, "may not specify a duration less than 10 minutes", "at least 10m")
	b.renew(account)
	b.audiences(account)
}

// renew lets a token mint its own successor.
func (b bed) renew(account func(string) *ServiceAccount) {
	b.t.Helper()
	stranger := b.mint(account("stranger"), b.admin)
	b.refused(account("stranger"), b.with(stranger.Secret), agent.Denied,
		`User "system:serviceaccount:default:stranger" cannot create resource "serviceaccounts/token"`,
		"kubectl create role mint-stranger -n default --verb=create --resource=serviceaccounts/token --resource-name=stranger")

	const rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/default/"
	b.create(rbac+"roles", `{"metadata":{"name":"mint-builder"},"rules":[{"apiGroups":[""],"resources":["serviceaccounts/token"],"resourceNames":["builder"],"verbs":["create"]}]}`)
	b.create(rbac+"rolebindings", `{"metadata":{"name":"mint-builder"},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":"mint-builder"},"subjects":[{"kind":"ServiceAccount","name":"builder","namespace":"default"}]}`)
	token := b.mint(account("builder"), b.admin).Secret
	ctx, cancel := context.WithTimeout(b.t.Context(), 20*time.Second)
	defer cancel()
	for renewals := 0; renewals < 3; {
		m, err := account("builder").Next(ctx, lends(b.with(token)))
		switch {
		case ctx.Err() != nil:
			b.t.Fatalf("renewed %d times: %v", renewals, err)
		case err == nil && m.Secret.Equal(token):
			b.t.Fatal("the same token again")
		case err == nil:
			token, renewals = m.Secret, renewals+1
		case renewals > 0: // at first the server has not seen the role yet
			b.t.Fatal(err)
		}
	}
}

// audiences mints a token for somebody else than the API server, who then does
// not take it.
func (b bed) audiences(account func(string) *ServiceAccount) {
	b.t.Helper()
	s := account("builder")
	s.Audiences, s.From = []string{"vault"}, "train"
	m := b.mint(s, b.admin)
	b.refused(s, b.with(m.Secret), agent.Denied, "says 401: Unauthorized", "only if the API server is one of its audiences")
}
