package absorb_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/absorb"
	"github.com/cwagent/cwagent/agent/ledger"
	"github.com/cwagent/cwagent/agent/render"
	"github.com/cwagent/cwagent/agent/rewritten"
	"github.com/cwagent/cwagent/agent/store"
	"github.com/cwagent/cwagent/agent/wall"
	"github.com/cwagent/cwagent/ipc"
)

const (
	patience = 20 * time.Second
	plugin   = "/usr/bin/cwagent-credential"

	prod = "https://cw7f2e-ac58c12a.k8s.us-east-04a.coreweave.com"
	dev  = "https://cw7f2e-5e6f0a31.k8s.us-west-01a.coreweave.com"

	first  = "CW-SECRET-first-first-first"
	second = "CW-SECRET-second-second-second"
	third  = "CW-SECRET-third-third-third"
)

// disk is a store that outlives a reboot, as long as nobody looks closely.
type disk struct {
	store.Memory
	mu  sync.Mutex
	err error // of every call

	putting func() // run once, before something is kept
}

func (d *disk) Durable() bool { return true }

func (d *disk) fails(err error) { d.mu.Lock(); d.err = err; d.mu.Unlock() }

func (d *disk) fault() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

func (d *disk) Get(ctx context.Context, key string) (ipc.Secret, error) {
	if err := d.fault(); err != nil {
		return ipc.Secret{}, err
	}
	return d.Memory.Get(ctx, key)
}

func (d *disk) Put(ctx context.Context, key string, s ipc.Secret) error {
	once(&d.putting)
	if err := d.fault(); err != nil {
		return err
	}
	return d.Memory.Put(ctx, key, s)
}

// oracle knows tokens: whose they are; one that it does not know is dead.
type oracle struct {
	mu    sync.Mutex
	known map[string]agent.Verdict
	asked []agent.VerifyRequest
}

func (o *oracle) Verify(_ context.Context, r agent.VerifyRequest) agent.Verdict {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked = append(o.asked, r)
	if v, ok := o.known[r.Token.Reveal()]; ok {
		return v
	}
	return agent.Verdict{Life: agent.Rejected, Why: "whoami says 401"}
}

// count says how often somebody was asked about that token.
func (o *oracle) count(token string) (n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range o.asked {
		if r.Token.Reveal() == token {
			n++
		}
	}
	return n
}

func (o *oracle) set(token string, v agent.Verdict) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.known[token] = v
}

func alive(org, uid string) agent.Verdict {
	return agent.Verdict{Life: agent.Alive, Identity: ipc.Identity{OrgUID: org, UID: uid}}
}

// A world is an agent and a watcher over files of its own.
type world struct {
	*agent.Agent
	t       testing.TB
	home    string
	config  string // ~/.kube/config
	state   rewritten.Folder
	disk    *disk
	oracle  *oracle
	log     *journal
	watcher *absorb.Watcher
	shared  string // name of the file system that everything lies on

	everywhere bool // the store is on it, too
	plugin     error
	end        func()

	// Hooks, each run once, by the watcher.
	deciding   func() // a file has been judged and is about to be rewritten
	recognized func() // the agent has said who has a token
	tried      func() // the agent has said that it would take a token
}

type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

// newWorld makes a home with a credential prod, whose token is first, and with a
// consent. Nothing is watched yet.
func newWorld(t testing.TB) *world {
	home := t.TempDir()
	w := &world{
		t: t, home: home, config: filepath.Join(home, ".kube", "config"), state: rewritten.Folder{Dir: filepath.Join(home, "state")},
		disk: &disk{}, oracle: &oracle{known: map[string]agent.Verdict{}}, log: &journal{}, end: func() {},
	}
	for _, dir := range []string{".kube", "Downloads"} {
		if err := os.Mkdir(filepath.Join(home, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, token := range []string{first, second, third} {
		w.oracle.set(token, alive("org", "me"))
	}
	w.restart()
	t.Cleanup(func() {
		w.end()
		if strings.Contains(strings.ReplaceAll(w.log.String(), "CW-SECRET-...", ""), "CW-SECRET") {
			t.Errorf("a token in the log:\n%s", w.log)
		}
	})
	w.add("prod", first, prod)
	w.agrees(true)
	return w
}

// restart makes a new agent and a new watcher, which do not run yet.
func (w *world) restart() {
	w.end()
	w.Agent = agent.New(agent.Config{
		Store: w.disk, Ledger: &ledger.File{Dir: w.state.Dir}, Codec: render.Codec{}, Verifier: w.oracle, Now: time.Now, Alarm: wall.New(),
		Log: slog.New(slog.NewTextHandler(w.log, nil)), Version: "test",
		Watched: func() []ipc.Watch { return w.watcher.Watched() }, Changed: func() { w.watcher.CredentialsChanged() },
	})
	w.watcher = absorb.New(absorb.Config{
		Agent: overheard{w.Agent, w}, Rewritten: w.state, Consent: absorb.Consent{Dir: w.state.Dir},
		Plugin:     func() (string, error) { once(&w.deciding); return plugin, w.plugin },
		Shared:     func(string) (string, bool) { return w.shared, w.shared != "" },
		Everywhere: func(string) bool { return w.everywhere },
		Settings:   w.settings(), Now: time.Now, Log: slog.New(slog.NewTextHandler(w.log, nil)),
	})
	if err := w.Restore(); err != nil {
		w.t.Fatal(err)
	}
	w.end = func() {}
}

// once runs a hook and removes it.
func once(hook *func()) {
	if do := *hook; do != nil {
		*hook = nil
		do()
	}
}

// overheard is the agent of a world, whose answers run its hooks.
type overheard struct {
	*agent.Agent
	w *world
}

func (o overheard) Recognize(s ipc.Secret) []agent.Holding {
	defer once(&o.w.recognized)
	return o.Agent.Recognize(s)
}

func (o overheard) Add(ctx context.Context, r ipc.AddRequest) (ipc.AddReply, error) {
	if r.DryRun {
		defer once(&o.w.tried)
	}
	return o.Agent.Add(ctx, r)
}

func (w *world) settings() absorb.Settings {
	return absorb.Settings{
		Kubeconfigs: []string{w.config}, Downloads: []string{filepath.Join(w.home, "Downloads")}, OnStaticToken: absorb.Absorb,
	}
}

// run runs both until the test ends.
func (w *world) run() {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	running.Go(func() { w.watcher.Run(ctx) })
	w.end = func() { cancel(); running.Wait() }
}

func (w *world) agrees(yes bool) {
	w.t.Helper()
	if err := (absorb.Consent{Dir: w.state.Dir}).Save(yes); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) add(name, token string, servers ...string) {
	w.t.Helper()
	w.must(ipc.AddRequest{Name: name, Secret: ipc.NewSecret(token), Expiry: ipc.ExpiryNever}, servers...)
}

func (w *world) must(r ipc.AddRequest, servers ...string) {
	w.t.Helper()
	for _, s := range servers {
		r.Servers = append(r.Servers, ipc.Server{URL: s})
	}
	if _, err := w.Add(w.t.Context(), r); err != nil {
		w.t.Fatal(err)
	}
}

// replace gives prod another token, as a person does.
func (w *world) replace(token string) {
	w.t.Helper()
	w.must(ipc.AddRequest{Name: "prod", Secret: ipc.NewSecret(token), Expiry: ipc.ExpiryNever, Replace: true})
}

// written is a kubeconfig whose user has a token at some servers.
func written(user, token string, servers ...string) string {
	var b strings.Builder
	b.WriteString("apiVersion: v1\nkind: Config\ncurrent-context: c0\nclusters:\n")
	for i, s := range servers {
		fmt.Fprintf(&b, "- name: k%d\n  cluster:\n    server: %s\n", i, s)
	}
	b.WriteString("contexts:\n")
	for i := range servers {
		fmt.Fprintf(&b, "- name: c%d\n  context:\n    cluster: k%d\n    user: %s\n", i, i, user)
	}
	fmt.Fprintf(&b, "users:\n- name: %s\n  user:\n    token: %s # theirs\n", user, token)
	return b.String()
}
