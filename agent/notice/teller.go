package notice

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/state"
	"github.com/cwagent/cwagent/ipc"
)

const (
	// burst is how long after the first of several changes they are looked at.
	burst = time.Second

	// patience is how long a store may be locked before it is said: at a login the
	// agent is there a moment before the keyring is opened.
	patience = 5 * time.Second

	// A server that does not take a notice is asked again after a minute, two, four,
	// up to an hour: what hangs or starts badly tells nobody when it is well.
	firstPause, lastPause = time.Minute, time.Hour
)

// Settings are what the person has written down.
type Settings struct {
	On    bool
	Steps []time.Duration // times left at which an end is told, longest first
}

// Config is what a Teller is made of. Every field is required.
type Config struct {
	Status  func(context.Context) (ipc.Status, error)
	Desktop Desktop
	File    state.File
	Now     func() time.Time // the wall clock
	Alarm   agent.Alarm      // the same clock, as what it wakes by
	Log     *slog.Logger     // gets a record for each notice that was shown
}

// A Teller shows notices while Run does. Make it with New.
type Teller struct {
	Config
	changed chan struct{} // capacity one: the status may be another one
	news    chan struct{} // capacity one: look at everything again

	mu       sync.Mutex
	settings Settings

	// What follows belongs to Run.
	server string               // whose the numbers in shown are
	shown  Memory               // nil: not read yet
	sum    uint32               // number of the notice that counts others, of server
	since  map[string]time.Time // since when a matter is there that has to last
	fails  int                  // in a row, of the server
	unsaid bool                 // that the memory is not saved was logged
}

// New returns a teller that shows nothing before it is configured.
func New(c Config) *Teller {
	now := c.Now
	c.Now = func() time.Time { return now().Round(0) } // the monotonic clock stands still while a laptop sleeps
	return &Teller{Config: c, changed: make(chan struct{}, 1), news: make(chan struct{}, 1), since: map[string]time.Time{}}
}

// Note has the status looked at soon. It returns at once, and may be called under any
// lock.
func (t *Teller) Note() { agent.Signal(t.changed) }

// Configure puts other settings in force.
func (t *Teller) Configure(s Settings) {
	t.mu.Lock()
	t.settings = s
	t.mu.Unlock()
	agent.Signal(t.news)
}

func (t *Teller) now() Settings {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.settings
}

// Run shows what there is to show until ctx ends. While notices are off it is not even
// connected.
func (t *Teller) Run(ctx context.Context) {
	for ctx.Err() == nil {
		if t.now().On {
			t.whileOn(ctx)
			continue
		}
		select {
		case <-ctx.Done():
		case <-t.news:
		}
	}
}

func (t *Teller) whileOn(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	var connected sync.WaitGroup
	defer connected.Wait()
	defer cancel()
	connected.Go(func() { t.Desktop.Run(ctx, func() { agent.Signal(t.news) }) })
	var soon <-chan time.Time
	for t.now().On {
		select {
		case <-ctx.Done():
			return
		case <-t.changed:
			if soon == nil {
				soon = time.After(burst)
			}
			continue
		case <-soon:
			soon = nil
		case <-t.news:
		case <-t.Alarm.Rings():
		}
		t.Alarm.Set(t.Look(ctx))
	}
	t.Alarm.Set(time.Time{})
}

// Look shows and takes away what is to be at this moment, and returns when there may
// be something else by itself; zero: never.
func (t *Teller) Look(ctx context.Context) (next time.Time) {
	s, err := t.Status(ctx)
	now := t.Now()
	if err != nil {
		return now.Add(firstPause)
	}
	t.remember()
	if t.doubts() {
		if session := t.Desktop.Session(ctx, false); session != "" {
			t.serve(session)
		}
	}
	matters, next := Look(s, t.now().Steps, now)
	t.lasting(matters, now)
	unread := map[string]bool{}
	for _, c := range s.Credentials {
		unread[c.Name] = c.State == ipc.StateLocked
	}
	p := Plan(matters, t.shown, func(name string) bool { return unread[name] }, now)
	next = agent.Sooner(next, p.Next)
	if len(p.Show)+len(p.Summed)+len(p.Over)+len(p.Forget) == 0 {
		return next
	}
	if again := t.do(ctx, p, now); again {
		t.fails++
		next = agent.Sooner(next, now.Add(min(firstPause<<min(t.fails-1, 10), lastPause)))
	}
	return next
}

// lasting says since when each matter is there that has to last.
func (t *Teller) lasting(matters []Matter, now time.Time) {
	had := t.since
	t.since = map[string]time.Time{}
	for i, m := range matters {
		if m.Kind != Locked {
			continue
		}
		began, ok := had[m.Key()]
		if !ok || began.After(now) {
			began = now
		}
		t.since[m.Key()], matters[i].Ready = began, began.Add(patience)
	}
}

// record is what the log has of a notice.
func (t *Teller) record(m Matter, how string, err error) {
	attrs := []any{"matter", m.Kind, "how", how, "what", m.Title}
	if m.Credential != "" {
		attrs = append(attrs, "credential", m.Credential)
	}
	if err != nil { // it may be seen later
		attrs = append(attrs, "error", err)
	}
	t.Log.Info("notice", attrs...)
}

// remember reads what was shown by an earlier run.
func (t *Teller) remember() {
	if t.shown != nil {
		return
	}
	had, err := read(t.File)
	if err != nil {
		t.Log.Warn("what notices were shown is not known", "error", err)
	}
	t.server, t.shown = had.Server, had.Shown
}

// save writes down what was shown; where that fails, this run knows it all the same.
func (t *Teller) save() {
	err := change(t.File, func(is *form) { is.Server, is.Shown = t.server, t.shown })
	if err != nil && !t.unsaid {
		t.Log.Warn("what notices were shown is not saved", "error", err)
	}
	t.unsaid = err != nil
}
