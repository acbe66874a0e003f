package absorb

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/rewritten"
	"github.com/cwagent/cwagent/ipc"
)

// Agent is the agent that the watcher runs in: *agent.Agent.
type Agent interface {
	ipc.Agent
	Recognize(s ipc.Secret) []agent.Holding
	Former(ctx context.Context, name string, s ipc.Secret, id string) (h agent.Holding, former bool, err error)
}

// Config is what a Watcher is made of. Every field is required but Changed.
type Config struct {
	Agent     Agent
	Rewritten rewritten.Folder                              // the files that import has rewritten
	Consent   Consent                                       // to take tokens out of downloads; in the same folder
	Plugin    func() (path string, err error)               // of the program that the exec blocks name
	Shared    func(path string) (filesystem string, y bool) // kubeconfig.Shared
	Settings  Settings

	// Everywhere says whether all machines that have a file reach the store.
	Everywhere func(path string) bool

	// Changed is called when there is something new about a file, under a lock: it
	// returns at once and calls nothing of the watcher.
	Changed func()

	Now func() time.Time
	Log *slog.Logger
}

// Settings are what the person has written down about it.
type Settings struct {
	Kubeconfigs   []string // beside those that import has rewritten; absolute
	Downloads     []string // folders; absolute
	OnStaticToken Reaction // to a token in either
}

// A Reaction is what is done about a static token.
type Reaction string

// The reactions.
const (
	Absorb Reaction = "absorb" // it is taken
	Warn   Reaction = "warn"   // it is said
	Ignore Reaction = "ignore" // nothing is looked at
)

// A Watcher looks after kubeconfigs and downloads while Run does.
type Watcher struct {
	Config
	wake chan struct{} // capacity 1: there is news

	// mu is taken under locks of the agent (CredentialsChanged), so nothing of the
	// agent is called while it is held.
	mu       sync.Mutex
	settings Settings
	news     news
	files    map[string]*file // by path; written by Run alone
	folders  map[string]error // those that are watched, and why they cannot be; nil: they are
	began    time.Time
	tidying  map[string]time.Time // folders in which somebody was at work on a file, and when to look again
}

// news is what has happened since Run looked last.
type news struct {
	relist bool            // other files may be looked after
	fresh  bool            // something else than a file has changed
	dirty  map[string]bool // folders in which something has
}

// New returns a watcher that does not look at anything yet.
func New(c Config) *Watcher {
	return &Watcher{
		Config: c, settings: c.Settings, wake: make(chan struct{}, 1), began: c.Now(),
		news: news{dirty: map[string]bool{}}, files: map[string]*file{}, folders: map[string]error{},
		tidying: map[string]time.Time{},
	}
}

// Configure puts other settings in force.
func (w *Watcher) Configure(s Settings) {
	w.note(func() { w.settings, w.news.relist, w.news.fresh = s, true, true })
}

// CredentialsChanged has what was left so far looked at again. It returns at once.
func (w *Watcher) CredentialsChanged() { w.note(func() { w.news.fresh = true }) }

func (w *Watcher) note(what func()) {
	w.mu.Lock()
	what()
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default: // Run has yet to look: it will see this, too
	}
}

// Run looks after the files until ctx ends. It leaves nothing behind.
func (w *Watcher) Run(ctx context.Context) {
	folders := &folderWatches{Watcher: w, now: map[string]folderWatch{}}
	defer folders.stop()
	var asking sync.WaitGroup
	defer asking.Wait()
	retry := time.NewTimer(0)
	defer retry.Stop()
	answers := make(chan struct{}, 1)
	w.note(func() { w.news.relist = true })
	for busy := false; ctx.Err() == nil; {
		n := w.take()
		if n.relist {
			folders.follow(ctx, w.list(n))
		}
		w.look(ctx, n)
		if batch := w.questions(); !busy && len(batch) > 0 {
			busy = true
			asking.Go(func() { w.ask(ctx, batch); answers <- struct{}{} })
		}
		if at := w.next(); !at.IsZero() {
			retry.Reset(max(at.Sub(w.Now()), 0))
		} else {
			retry.Stop()
		}
		select {
		case <-ctx.Done():
		case <-w.wake:
		case <-retry.C:
		case <-answers:
			busy = false
		}
	}
}

// take returns what has happened, and forgets it.
func (w *Watcher) take() news {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.news
	w.news = news{dirty: map[string]bool{}}
	return n
}

// Watched says how everything is that is looked after, by path.
func (w *Watcher) Watched() []ipc.Watch {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []ipc.Watch
	for _, f := range w.files {
		for _, x := range f.found {
			all = append(all, x.Watch)
		}
	}
	if w.settings.OnStaticToken != Ignore {
		for _, dir := range w.settings.Downloads {
			all = append(all, w.folderLocked(dir))
		}
	}
	slices.SortStableFunc(all, func(a, b ipc.Watch) int { return strings.Compare(a.Path+"\x00"+a.User, b.Path+"\x00"+b.User) })
	return all
}
