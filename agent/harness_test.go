package agent_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	v1 "k8s.io/client-go/pkg/apis/clientauthentication/v1"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/arena"
	"github.com/cwagent/cwagent/agent/render"
	"github.com/cwagent/cwagent/ipc"
)

const home = "https://a.example.com:443"

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// A world is an agent with a clock, a store and a codec that tests can turn. No
// secret may be in its log: every secret of these tests begins with "s3cr3t-".
type world struct {
	*agent.Agent
	t     *testing.T
	now   atomic.Int64     // nanoseconds since the epoch
	clock func() time.Time // now, unless a test under synctest says otherwise
	looks atomic.Int64     // at the clock
	wakes atomic.Int64     // of Run
	disk  *disk
	codec *counter

	ledger *notebook
	oracle oracle
	log    *journal
	bell   *bell
}

// memory is where tokens rest, of all agents of the tests.
var memory arena.Arena

func newWorld(t *testing.T) *world { return worldOn(t, newDisk(), &notebook{}) }

// worldOn is a world with that store and that ledger, and what else is set.
func worldOn(t *testing.T, d *disk, n *notebook, set ...func(*agent.Config)) *world {
	w := &world{t: t, disk: d, ledger: n, codec: &counter{Codec: render.Codec{}}, log: &journal{}}
	w.set(noon)
	w.clock = func() time.Time { return time.Unix(0, w.now.Load()) }
	w.bell = &bell{now: func() time.Time { return w.clock() }, rings: make(chan struct{}, 1)}
	c := agent.Config{
		Store: w.disk, Ledger: w.ledger, Verifier: &w.oracle, Codec: w.codec, Alarm: w.bell, Version: "test", Socket: "/run/test.sock", Keep: memory.Keep,
		Now: func() time.Time { w.looks.Add(1); return w.clock() },
		Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range set {
		f(&c)
	}
	w.Agent = agent.New(c)
	t.Cleanup(func() {
		noSecret(t, "log", w.log.String())
		noSecret(t, "ledger", string(n.text))
		for _, s := range w.AtRest() {
			if !s.Empty() && !s.IsLent() {
				t.Error("a token rests where it should not")
			}
		}
	})
	return w
}

// restart returns a world with a new agent, which has read the ledger only.
func (w *world) restart() *world {
	w.t.Helper()
	next := worldOn(w.t, w.disk, w.ledger)
	next.now.Store(w.now.Load())
	if err := next.Restore(); err != nil {
		w.t.Fatal(err)
	}
	return next
}

// run lets the agent read its store until stop is called.
func (w *world) run() (stop func()) { return w.runFor(w.t.Context()) }

// runFor is run that ends with its ctx, too.
func (w *world) runFor(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var loading sync.WaitGroup
	loading.Go(func() { w.Run(watched{ctx, &w.wakes}) })
	return func() { cancel(); loading.Wait() }
}

func noSecret(t *testing.T, where, text string) {
	t.Helper()
	if strings.Contains(text, "s3cr3t") {
		t.Errorf("a secret in the %s:\n%s", where, text)
	}
}

// set sets the clock, which is noticed as if it were a machine's.
func (w *world) set(now time.Time) {
	w.now.Store(now.UnixNano())
	w.bell.ring()
}

// bell is an alarm for a clock that stands still until it is set, or for that of
// synctest.
type bell struct {
	now   func() time.Time
	rings chan struct{}
	timer *time.Timer
}

func (b *bell) Set(at time.Time) {
	if b.timer != nil {
		b.timer.Stop()
	}
	if b.timer = nil; !at.IsZero() {
		b.timer = time.AfterFunc(max(at.Sub(b.now()), 0), b.ring)
	}
}

func (b *bell) Rings() <-chan struct{} { return b.rings }

func (b *bell) ring() {
	if b == nil {
		return
	}
	select {
	case b.rings <- struct{}{}:
	default:
	}
}

// watched is a ctx that counts how often somebody begins to wait for it.
type watched struct {
	context.Context
	waits *atomic.Int64
}

func (w watched) Done() <-chan struct{} { w.waits.Add(1); return w.Context.Done() }

// request is what adds a token of that name, bound to home.
func request(name, secret string) ipc.AddRequest {
	return ipc.AddRequest{
		Name: name, Secret: ipc.NewSecret(secret), Expiry: ipc.ExpiryNever, Servers: []ipc.Server{{URL: home}},
	}
}

func replacing(r ipc.AddRequest) ipc.AddRequest {
	r.Replace = true
	return r
}

func (w *world) add(r ipc.AddRequest) ipc.AddReply {
	w.t.Helper()
	reply, err := w.Add(w.t.Context(), r)
	if err != nil {
		w.t.Fatalf("add %s: %v", r.Name, err)
	}
	return reply
}

// status returns the only line of the status that has that name.
func (w *world) status(name string) ipc.Credential {
	w.t.Helper()
	s, err := w.Status(w.t.Context(), ipc.StatusRequest{Name: name})
	if err != nil || len(s.Credentials) != 1 {
		w.t.Fatalf("status %s: %+v, %v", name, s, err)
	}
	return s.Credentials[0]
}

// ask is a KUBERNETES_EXEC_INFO that names server, or none.
func ask(server string) []byte {
	cluster := ""
	if server != "" {
		b, _ := json.Marshal(server) // a string always marshals
		cluster = `,"cluster":{"server":` + string(b) + `}`
	}
	return []byte(`{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"interactive":false` + cluster + `}}`)
}

// fetch returns the token and its end as client-go reads them; without a token,
// it returns what is said on stderr.
func (w *world) fetch(name, server string) (token string, end time.Time, stderr string) {
	w.t.Helper()
	reply, err := w.Fetch(w.t.Context(), ipc.FetchRequest{Name: name, ExecInfo: ask(server)})
	if err != nil || (reply.Exit == 0) != (len(reply.Stderr) == 0) || (reply.Exit == 0) != (len(reply.Stdout) > 0) {
		w.t.Fatalf("fetch %s: exit %d, %q, %q, %v", name, reply.Exit, reply.Stdout, reply.Stderr, err)
	}
	noSecret(w.t, "lines for stderr", string(reply.Stderr))
	if reply.Exit != 0 {
		return "", time.Time{}, string(reply.Stderr)
	}
	var c v1.ExecCredential
	if err := json.Unmarshal(reply.Stdout, &c); err != nil {
		w.t.Fatal(err)
	}
	return c.Status.Token, c.Status.ExpirationTimestamp.Time, ""
}

// serves wants the next fetch to give out that token.
func (w *world) serves(name, want string) {
	w.t.Helper()
	if got, _, stderr := w.fetch(name, home); got != want {
		w.t.Fatalf("fetch %s: %q, %s; want %q", name, got, stderr, want)
	}
}

// refused wants err to be an *ipc.Error with that code and without a secret.
func refused(t *testing.T, err error, code ipc.Code) *ipc.Error {
	t.Helper()
	var e *ipc.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("%v (%T); want code %d", err, err, code)
	}
	noSecret(t, "error", e.Text())
	return e
}

// counter counts the renderings.
type counter struct {
	agent.Codec
	encoded atomic.Int64
}

func (c *counter) Encode(apiVersion string, expires time.Time) (agent.Answer, error) {
	c.encoded.Add(1)
	return c.Codec.Encode(apiVersion, expires)
}

// journal is a log that can be read while it is written.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}
