package coreweave

import (
	"bufio"
	"encoding/json"
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

// A bed is a real API server and a stand-in for CoreWeave.
type bed struct {
	t        *testing.T
	bin, dir string
	v        *Verifier
}

// startBed starts one whose API server answers 403 to a dead token, as CKS is
// said to do, and 401 to an unknown one.
func startBed(t *testing.T) *bed {
	t.Helper()
	bin, err := filepath.Abs("../../bin/testbed")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(bin); err != nil {
		ipctest.Skip(t, "bin/testbed is not built: make testbed")
	}
	b := &bed{t: t, bin: bin, dir: t.TempDir()}
	up := exec.Command(bin, "up", b.dir, "--expired-status", "403")
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
	b.v, err = New(Config{Endpoint: b.run("url", b.dir), CAFile: filepath.Join(b.dir, "ca.crt")})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bed) run(args ...string) string {
	b.t.Helper()
	out, err := exec.Command(b.bin, args...).Output()
	if err != nil {
		b.t.Fatalf("testbed %v: %v", args[:1], err)
	}
	return strings.TrimSpace(string(out))
}

// mint returns a request about a new token that is bound to the API server.
func (b *bed) mint(name string, args ...string) agent.VerifyRequest {
	b.t.Helper()
	ca, err := os.ReadFile(filepath.Join(b.dir, "ca.crt"))
	if err != nil {
		b.t.Fatal(err)
	}
	server, err := agent.Canonical(ipc.Server{URL: b.run("server", b.dir), CASHA256: agent.Fingerprint(ca)})
	if err != nil {
		b.t.Fatal(err)
	}
	token := b.run(append([]string{"token", b.dir, "--raw", "--name", name}, args...)...)
	return agent.VerifyRequest{
		Token: ipc.NewSecret(token), Servers: []ipc.Server{server}, CAs: map[string][]byte{server.CASHA256: ca},
	}
}

func alone(r agent.VerifyRequest) agent.VerifyRequest {
	r.Servers = nil
	return r
}

func with(r agent.VerifyRequest, token string) agent.VerifyRequest {
	r.Token = ipc.NewSecret(token)
	return r
}

func (b *bed) expect(what string, r agent.VerifyRequest, want agent.Life) agent.Verdict {
	b.t.Helper()
	got := b.v.Verify(b.t.Context(), r)
	if got.Life != want || strings.Contains(got.Why, r.Token.Reveal()) {
		b.t.Errorf("%s: %+v", what, got)
	}
	return got
}

// TestRealServers asks a real API server and a stand-in for CoreWeave's API.
func TestRealServers(t *testing.T) {
	t.Parallel()
	b := startBed(t)
	r := b.mint("prod", "--uid", "u-7", "--org", "cw7f2e")
	if got := b.expect("alive", r, agent.Alive); got.Identity != (ipc.Identity{UID: "u-7", OrgUID: "cw7f2e"}) {
		t.Errorf("alive: %+v", got.Identity)
	}
	b.expect("another vendor's", with(r, otherToken), agent.Rejected)
	b.everyFault(r)
	b.revoked(r)

	var counts map[string]int
	if err := json.Unmarshal([]byte(b.run("requests", b.dir, "-o", "json")), &counts); err != nil {
		t.Fatal(err)
	}
	if counts["login"] != 0 || counts["whoami"] != 26 {
		t.Errorf("asked %v", counts)
	}
}

// everyFault asks about a token that is alive.
func (b *bed) everyFault(r agent.VerifyRequest) {
	b.t.Helper()
	for _, f := range []struct {
		kind      string
		one, both agent.Life // where no server is bound; of whoami and the server
	}{
		{"401", agent.Rejected, agent.Rejected},
		{"403", agent.Unknown, agent.Alive},
		{"500", agent.Unknown, agent.Alive},
		{"html403", agent.Unknown, agent.Alive},
		{"portal", agent.Unknown, agent.Alive},
		{"redirect", agent.Unknown, agent.Alive},
		{"wrongjson", agent.Unknown, agent.Alive},
		{"date+1d", agent.Alive, agent.Alive},
		{"hang", agent.Unknown, agent.Alive},
		{"none", agent.Alive, agent.Alive},
	} {
		b.run("fault", b.dir, f.kind)
		b.v.limit = most
		if f.kind == "hang" {
			b.v.limit = time.Second
		}
		b.expect(f.kind, alone(r), f.one)
		got := b.expect(f.kind+" with a server", r, f.both)
		if day := 24 * time.Hour; (got.Skew > day/2) != (f.kind == "date+1d") || got.Skew > day+time.Minute {
			b.t.Errorf("%s: the clock is said to be %v ahead", f.kind, got.Skew)
		}
	}
}

// revoked asks about a token that has been deleted in the Console.
func (b *bed) revoked(r agent.VerifyRequest) {
	b.t.Helper()
	b.run("revoke", b.dir, "prod")
	b.expect("revoked", r, agent.Rejected)
	b.run("fault", b.dir, "403")
	got := b.expect("revoked, 403", r, agent.Rejected)
	if !strings.HasPrefix(got.Why, "whoami says 403; 127.0.0.1:") || !strings.HasSuffix(got.Why, " says 403") {
		b.t.Errorf("why: %q", got.Why)
	}
	b.expect("unknown to both, 403", with(r, cwToken), agent.Rejected)
	for _, kind := range []string{"500", "html403"} {
		b.run("fault", b.dir, kind)
		b.expect("revoked, "+kind, r, agent.Unknown)
	}
}
