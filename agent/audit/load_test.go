package audit_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/audit"
	"github.com/cwagent/cwagent/agent/ledger"
	"github.com/cwagent/cwagent/agent/render"
	"github.com/cwagent/cwagent/agent/store"
	"github.com/cwagent/cwagent/agent/wall"
	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/client"
	"github.com/cwagent/cwagent/ipc/ipctest"
	"github.com/cwagent/cwagent/ipc/peer"
	"github.com/cwagent/cwagent/ipc/server"
)

const info = `{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"cluster":{"server":"https://a.example.com:443","config":null},"interactive":false}}`

// newAgent is an agent with a credential that is bound to the server of info; l nil:
// nobody records what it does.
func newAgent(t testing.TB, l *audit.Log) *agent.Agent {
	c := agent.Config{
		Store: &store.Memory{}, Ledger: &ledger.File{Dir: t.TempDir()}, Codec: render.Codec{}, Now: time.Now, Alarm: wall.New(),
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	if l != nil {
		c.Audit, c.Log = l, slog.New(l)
	}
	a := agent.New(c)
	if _, err := a.Add(t.Context(), ipc.AddRequest{
		Name: "prod", Secret: ipc.NewSecret("CW-SECRET-planted"), Expiry: ipc.ExpiryUnknown,
		Servers: []ipc.Server{{URL: "https://a.example.com:443"}}, Ephemeral: true, NoVerify: true,
	}); err != nil {
		t.Fatal(err)
	}
	return a
}

// listen serves a at a socket and returns its path.
func listen(t testing.TB, a ipc.Agent) string {
	path := ipctest.SocketPath(t)
	l, err := server.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	another := func(c net.Conn) (peer.Peer, error) { // than this one, whose refusals are its own questions
		p, err := peer.Of(c.(*net.UnixConn))
		p.PID = 1 << 23
		return p, err
	}
	serving.Go(func() {
		if err := (&server.Server{Agent: a, Log: slog.New(slog.DiscardHandler), Peer: another}).Serve(ctx, l); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); serving.Wait() })
	return path
}

// Of 100,000 fetches under load, over the socket and from a thousand kubectls, one in
// ten of them refused, and some before anybody writes, each is in the log or among those that were dropped.
func TestHundredThousand(t *testing.T) {
	t.Parallel()
	dir, l := t.TempDir(), audit.New()
	a := newAgent(t, l)
	c := client.Client{Path: listen(t, a)}
	wrong := bytes.Replace([]byte(info), []byte("a.example"), []byte("b.example"), 1)
	ask := func(ctx context.Context, f func(context.Context, ipc.FetchRequest) (ipc.FetchReply, error), i int) {
		r := ipc.FetchRequest{Name: "prod", ExecInfo: []byte(info)}
		if i%10 == 0 {
			r.ExecInfo = wrong
		}
		if reply, err := f(ctx, r); err != nil || (reply.Exit == 0) != (i%10 != 0) {
			t.Errorf("%d: %q, %v", i, reply.Stderr, err)
		}
	}
	const early, direct, socket = 5_000, 90_000, 5_000
	began := time.Now()
	for i := range early { // before anybody writes: most of them are dropped
		ask(context.Background(), a.Fetch, i)
	}
	stop := run(t, l, dir, func(err error) { t.Error(err) })
	var asking sync.WaitGroup
	for n := range 10 {
		asking.Go(func() {
			for i := range direct / 10 {
				kubectl := peer.Process{PID: 1<<22 + (n*1000+i)%1000, Start: 7}
				ask(peer.NewContext(context.Background(), peer.Peer{Process: peer.Process{PID: 1 << 23, Start: 9}, Parent: kubectl}), a.Fetch, i)
			}
		})
		asking.Go(func() {
			for i := range socket / 10 {
				ask(context.Background(), c.Fetch, i)
			}
		})
	}
	asking.Wait()
	took := time.Since(began)
	stop()
	files, _ := filepath.Glob(filepath.Join(dir, "audit-*.jsonl"))
	var given, refused, dropped uint64
	lines := 0
	for _, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte("CW-SECRET")) {
			t.Error("a token is in the log")
		}
		for line := range bytes.Lines(b) {
			r, err := audit.Parse(line)
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			lines++
			switch r.Msg {
			case audit.Given:
				given += max(r.Times, 1)
			case agent.NotGivenOut:
				refused += max(r.Times, 1)
			case audit.Dropped:
				dropped += r.Dropped
			}
		}
	}
	if sum := given + refused + dropped; sum != early+direct+socket || given == 0 || refused == 0 || dropped < early-1024 {
		t.Errorf("%d of %d, %d of them dropped", sum, early+direct+socket, dropped)
	}
	t.Logf("in %v: %d given out, %d refused, %d dropped, in %d lines", took, given, refused, dropped, lines)
}

// What a fetch allocates does not depend on whether it is recorded.
func TestAllocations(t *testing.T) {
	fetch := func(a *agent.Agent) func() {
		ctx, r := peer.NewContext(t.Context(), peer.Peer{Parent: peer.Process{PID: 1 << 22, Start: 7}}), ipc.FetchRequest{Name: "prod", ExecInfo: []byte(info), Room: make([]byte, 0, 8<<10)}
		return func() {
			if reply, err := a.Fetch(ctx, r); err != nil || reply.Exit != 0 {
				t.Errorf("%s, %v", reply.Stderr, err)
			}
		}
	}
	without, with := testing.AllocsPerRun(500, fetch(newAgent(t, nil))), testing.AllocsPerRun(500, fetch(newAgent(t, audit.New())))
	if with > without {
		t.Errorf("%v allocations, %v without an audit log", with, without)
	}
	l, u := audit.New(), agent.Use{At: time.Now(), Credential: "prod"}
	if n := testing.AllocsPerRun(5000, func() { l.Given(u) }); n > 0 {
		t.Errorf("%v allocations to record a use", n)
	}
}

// BenchmarkGiven is what a fetch waits for.
func BenchmarkGiven(b *testing.B) {
	l := audit.New()
	ctx, cancel := context.WithCancel(b.Context())
	var running sync.WaitGroup
	dir := b.TempDir()
	running.Go(func() { l.Run(ctx, dir, func(error) {}) })
	defer running.Wait()
	defer cancel()
	u := agent.Use{At: time.Now(), Credential: "prod", Peer: peer.Peer{Parent: peer.Process{PID: 1 << 22, Start: 7}}}
	b.ReportAllocs()
	for b.Loop() {
		l.Given(u)
	}
}
