// Package agent is the mind of cwagent: which credentials there are, which
// token each has, to which servers it may go, and what is to be done when.
//
// It answers from memory. While somebody waits for a fetch it touches no store,
// no disk and no network, and holds no lock over anything slow. It never gives
// out a token past its expiry, nor for a server that the credential is not
// bound to.
//
// It refuses to know how tokens are kept, how an ExecCredential is spelled, or
// what a socket is: [Store] and [Codec] are declared here and implemented by
// its child packages, which it never imports; package ipc is the language in
// which it is spoken to.
package agent

import (
	"crypto/rand"
	"encoding/binary"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// Config is what an Agent is made of. Every field is required but Settings,
// Exchange, Others, Auto, Audit, Watched, Changed, Keep and End.
type Config struct {
	Store    Store            // where tokens rest: the only one, or the one that is tried first
	Ledger   Ledger           // where the rest is kept
	Codec    Codec            // the language of exec credential plugins
	Expose   Expose           // the language of metrics
	Verifier Verifier         // who knows whether a token is alive
	Exchange Exchange         // who gives object storage keys; nil: nobody
	Now      func() time.Time // the wall clock
	Alarm    Alarm            // the same clock, as what it wakes by
	Log      *slog.Logger
	Audit    Audit     // who was given what; nil: nobody wants to know
	Settings Settings  // what the person has written down; may be zero
	Version  string    // of this program, for status
	Socket   string    // path, for status
	Start    ipc.Start // likewise
	Host     string    // of this machine: its name; empty where no other one has the ledger

	// Others are stores of other kinds: tokens can be moved from and to them. With
	// Auto, the first token goes to the first of all that takes it.
	Others []Store
	Auto   bool

	// Watched says how the files are that somebody looks after, for status. Changed
	// is called whenever there is something new about a credential, or the store begins
	// or ends to give nothing, under a lock: it returns at once and calls nothing of
	// the agent.
	Watched func() []ipc.Watch
	Changed func()

	// Keep returns a secret as one that can rest in memory for long, and at once if
	// it is such a one; nil: all are.
	Keep func(ipc.Secret) ipc.Secret

	// End ends the run after what is being answered. It returns at once.
	End func()

	// Latch locks it; nil: it cannot be.
	Latch Latch
}

// Agent is the daemon's body of ipc.Agent.
type Agent struct {
	Config
	stores  *chosen // which is Store, too
	started time.Time

	// change is taken by whoever changes credentials, for as long as that
	// takes, store calls included; requests for tokens never wait for it. It is
	// taken before mu.
	change  chan struct{}
	waiters atomic.Int32 // for their turn
	book    Book         // as it was last written; for whoever holds change
	move    *move        // under way; for whoever holds change
	unsure  bool         // the ledger may hold something else; for whoever holds change
	barred  error        // why the ledger cannot be written now; likewise
	unheard string       // why it could not be read again; likewise

	reaching chan struct{} // taken while the ledger is asked
	keeper   atomic.Value  // string: Host of the book

	vouched vouchers // what dry runs have found out

	wants   chan want               // requests that wait for the store
	trouble atomic.Pointer[trouble] // nil while the store answers
	silent  atomic.Pointer[trouble] // nil while it takes what is written
	turned  chan struct{}           // one of these two has come or gone
	ready   chan struct{}           // the store, that was in trouble, can be used
	fresh   chan struct{}           // there may be other tokens to read from it
	poke    chan struct{}           // something has changed: look at everything again

	resettled chan struct{} // the settings have changed: look which sources to watch

	mu    sync.RWMutex
	creds map[string]*credential // immutable values: replaced, never written to
	last  uint64                 // revision that was given to one of them
	cas   map[string][]byte      // certificate authorities of bound servers; replaced, never written to
	rules Settings               // in force

	heir    atomic.Int64 // until when another agent may hand over what it has in memory only, Unix nanoseconds
	caught  atomic.Int64 // when the ledger was looked at last for a request, Unix nanoseconds
	given   atomic.Int64 // when a token was given out last, Unix nanoseconds; 0: none was
	flights flights      // what is being done about which credential

	nobody    atomic.Uint64 // fetches of what nobody is called
	rotations *tally        // by where the token came from
	noNext    *tally        // by class
	verdicts  *tally        // by Life
}

// Expose writes down how an agent is and what has happened, as Prometheus reads it:
// agent/metrics.
type Expose func(ipc.Status, Counts) []byte

var _ ipc.Agent = (*Agent)(nil)

// New returns an agent that knows no credential yet.
func New(c Config) *Agent {
	// Round takes the monotonic reading away: it stands still while a laptop
	// sleeps, and Sub prefers it, so that a token would not age in that time.
	now := c.Now
	c.Now = func() time.Time { return now().Round(0) }
	if c.Keep == nil {
		c.Keep = func(s ipc.Secret) ipc.Secret { return s }
	}
	stores := newChosen(c.Store, c.Others, c.Auto)
	c.Store = stores
	verdicts := newTally(string(Alive), string(Rejected), string(Unknown))
	c.Verifier = counted{c.Verifier, verdicts}
	return &Agent{
		Config:  c,
		stores:  stores,
		started: c.Now(),
		change:  make(chan struct{}, 1),
		wants:   make(chan want),
		turned:  make(chan struct{}, 1),
		ready:   make(chan struct{}, 1),
		fresh:   make(chan struct{}, 1),
		poke:    make(chan struct{}, 1),

		reaching:  make(chan struct{}, 1),
		resettled: make(chan struct{}, 1),
		creds:     map[string]*credential{},
		last:      firstRevision(),
		rules:     c.Settings,
		flights:   flights{now: map[string]*flight{}},

		rotations: newTally(fromPerson, fromStandby, fromBefore, rolledBack),
		noNext:    newTally(string(Transient), string(Denied), string(Broken)),
		verdicts:  verdicts,
	}
}

// all returns the credentials of this moment, in no order.
func (a *Agent) all() []*credential {
	a.mu.RLock()
	defer a.mu.RUnlock()
	all := make([]*credential, 0, len(a.creds))
	for _, c := range a.creds {
		all = append(all, c)
	}
	return all
}

// look has the loop look at everything again.
func (a *Agent) look() { Signal(a.poke) }

// Signal is for a channel of capacity one whose reader looks at everything.
func Signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default: // it will, anyway
	}
}

// lookup returns the credential of that name.
func (a *Agent) lookup(name string) (*credential, error) {
	a.mu.RLock()
	c := a.creds[name]
	a.mu.RUnlock()
	if c == nil {
		return nil, notFound(name)
	}
	return c, nil
}

// put makes c, which nobody else knows yet, the credential of its name. The
// caller is the one who may change; the loader does not wait for changes, and
// what it found out meanwhile about the same tokens is kept.
func (a *Agent) put(c *credential) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := a.creds[c.name]; now != nil {
		c.fill(now)
	}
	a.putLocked(c)
}

func (a *Agent) putLocked(c *credential) {
	if c.revision == 0 {
		a.last++
		c.revision = a.last
	}
	if was := a.creds[c.name]; was != nil {
		close(was.over)
	}
	c.atRest(a.Keep)
	c.over = make(chan struct{})
	a.creds[c.name] = c
	a.look()
	if a.Changed != nil {
		a.Changed()
	}
}

// fill takes over what now has heard since c was begun: secrets of tokens that both
// have, and whether the source has something new.
func (c *credential) fill(now *credential) {
	c.news = now.news // whoever changed c has not looked at it
	read := map[string]token{}
	now.tokens(func(t *token) bool { read[t.key] = *t; return true })
	c.standby = slices.Clone(c.standby)
	c.tokens(func(t *token) bool {
		if was, ok := read[t.key]; ok && t.inStore() {
			t.secret, t.fault = was.secret, was.fault
		}
		return true
	})
}

// revise changes what the agent knows about a credential beside what is written
// down, such as how its source does; anybody may do that at any time. It returns
// the credential as it is then, or nil if it has been forgotten.
func (a *Agent) revise(name string, f func(next *credential)) *credential {
	a.mu.Lock()
	defer a.mu.Unlock()
	c := a.creds[name]
	if c == nil {
		return nil
	}
	next := c.same()
	f(next)
	a.putLocked(next)
	return next
}

// firstRevision is another one in each run, so that what a client remembers of
// an agent that has ended since fits nothing. JSON carries 53 bits everywhere.
func firstRevision() uint64 {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return uint64(binary.BigEndian.Uint32(b[:])) << 20
}

// info describes this agent.
func (a *Agent) info() ipc.AgentInfo {
	since, guarded := a.locked()
	return ipc.AgentInfo{
		Version: a.Version, PID: os.Getpid(), Started: a.started, Start: a.Start, Socket: a.Socket,
		Locked: known(since), Guarded: guarded,
	}
}
