package agent_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/render"
	"github.com/cwagent/cwagent/ipc"
)

// An incarnation is one life of the agent, from its start to its end or to a
// kill -9, after which nothing of it reaches the outside.
type incarnation struct {
	*agent.Agent
	s       *simulation
	born    time.Time
	log     journal
	bell    *bell
	sources map[string]agent.Source
	gone    chan struct{} // closed when it takes no requests any more
	stop    context.CancelFunc

	mu      sync.Mutex
	dead    bool
	fuse    int                  // effects until it is killed; 0: it is not going to be
	late    bool                 // the last one happens
	refused map[string]time.Time // since when it knows that of a token
	given   map[string]gift      // by credential
}

// A gift is the last token that callers got of a credential.
type gift struct {
	grant
	at time.Time
}

// effect does what reaches the outside, unless the agent is killed before, or
// right after. f does not wait for anything.
func (l *incarnation) effect(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		runtime.Goexit()
	}
	fatal := false
	if l.fuse > 0 {
		l.fuse--
		fatal = l.fuse == 0
	}
	if f != nil && (!fatal || l.late) {
		f()
	}
	if fatal {
		l.dieLocked()
		runtime.Goexit()
	}
}

func (l *incarnation) dieLocked() {
	l.dead = true
	l.s.weather.strike(spell{killed, ""})
	l.leave()
	l.stop()
}

// leave has it take no requests any more.
func (l *incarnation) leave() {
	select {
	case <-l.gone:
	default:
		close(l.gone)
	}
}

// light has it killed so many effects later; 0 is now.
func (l *incarnation) light(fuse int, late bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fuse, l.late = fuse, late
	if fuse == 0 && !l.dead {
		l.dieLocked()
	}
}

func (l *incarnation) ended() bool {
	select {
	case <-l.gone:
		return true
	default:
		return false
	}
}

// told notes a verdict that the agent is about to hear; l.mu is held.
func (l *incarnation) told(secret string, v agent.Life) {
	if _, was := l.refused[secret]; v == agent.Rejected && !was {
		l.refused[secret] = time.Now()
	}
}

// live lets an agent live over what is there, until it is killed or stopped.
func (s *simulation) live() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	l := &incarnation{
		s: s, born: time.Now(), gone: make(chan struct{}), stop: cancel, sources: map[string]agent.Source{},
		refused: map[string]time.Time{}, given: map[string]gift{},
	}
	for _, c := range cast {
		if c.source {
			l.sources[c.name] = &spring{incarnation: l, of: c.name, life: c.life}
		}
	}
	l.bell = &bell{now: s.wall, rings: make(chan struct{}, 1)}
	l.Agent = agent.New(agent.Config{
		Store: vault{s.disk, l}, Ledger: pages{s.ledger, l}, Verifier: judge{l}, Codec: render.Codec{}, Alarm: lateBell{l}, Now: s.wall,
		Version: "test", Socket: "/run/test.sock", Settings: l.settings(""), Keep: memory.Keep,
		Log: slog.New(slog.NewTextHandler(&l.log, nil)),
	})
	if err := l.Restore(); err != nil {
		s.breach(l, "restore: %v", err)
	}
	s.mu.Lock()
	s.agent = l
	s.lives++
	s.mu.Unlock()
	ended := make(chan struct{})
	go func() { defer close(ended); l.Run(ctx) }()
	<-ended
	l.leave()
	noSecret(s.t, "log", l.log.String())
	noSecret(s.t, "ledger", string(s.ledger.text))
	s.note("agent ended, killed %v, after %v", l.dead, time.Since(l.born).Round(time.Second))
}

// settings are what the config says, but for one source.
func (l *incarnation) settings(without string) agent.Settings {
	out := agent.Settings{Credentials: map[string]agent.Setting{}}
	for name, source := range l.sources {
		set := agent.Setting{Source: source, Servers: []ipc.Server{{URL: home}}}
		if name == without {
			set.Source = nil
		}
		out.Credentials[name] = set
	}
	return out
}

// latest is how late an alarm may be.
const latest = 20 * minute

// lateBell rings late in bad weather.
type lateBell struct{ *incarnation }

func (b lateBell) Set(at time.Time) {
	if !at.IsZero() && b.s.weather.meets(alarmLate, "") {
		at = at.Add(b.s.dice.between(time.Second, latest))
	}
	b.bell.Set(at)
}

func (b lateBell) Rings() <-chan struct{} { return b.bell.Rings() }

// vault is the store as one life of the agent meets it.
type vault struct {
	*disk
	l *incarnation
}

// do is one call of the store.
func (v vault) do(ctx context.Context, f func() error) (err error) {
	s, happens := v.l.s, true
	switch {
	case s.weather.meets(storeGone, ""):
		nap(ctx, 10*time.Millisecond)
		err, happens = fmt.Errorf("%w: no reply", agent.ErrAbsent), false
	case s.weather.meets(storeLocked, ""):
		err, happens = agent.ErrLocked, false
	case s.weather.meets(storeFails, ""):
		err, happens = errStore, s.dice.below(2) == 0
	case s.weather.meets(storeSlow, ""):
		nap(ctx, s.dice.between(100*time.Millisecond, 5*time.Second))
		s.weather.met(storeSlow, "")
	default:
		nap(ctx, 5*time.Millisecond)
	}
	if err == nil && ctx.Err() != nil {
		err, happens = fmt.Errorf("%w: %w", agent.ErrAbsent, ctx.Err()), s.dice.below(2) == 0
	}
	v.l.effect(func() {
		if happens {
			if did := f(); err == nil {
				err = did
			}
		}
	})
	return err
}

func (v vault) Get(ctx context.Context, key string) (secret ipc.Secret, err error) {
	err = v.do(ctx, func() (err error) { secret, err = v.disk.Get(ctx, key); return err })
	if err != nil {
		return ipc.Secret{}, err
	}
	return secret, nil
}

func (v vault) Put(ctx context.Context, key string, secret ipc.Secret) error {
	return v.do(ctx, func() error {
		if v.l.s.weather.meets(storeForgets, "") {
			return nil
		}
		return v.disk.Put(context.Background(), key, secret)
	})
}

func (v vault) Delete(ctx context.Context, key string) error {
	return v.do(ctx, func() error {
		v.l.s.deletes(v.l, key)
		return v.disk.Delete(context.Background(), key)
	})
}

// pages is the ledger as one life of the agent meets it.
type pages struct {
	*notebook
	l *incarnation
}

var errFull = errors.New("no space left on device")

func (p pages) Save(b agent.Book) (err error) {
	s := p.l.s
	p.l.effect(func() {
		if s.weather.meets(bookFull, "") {
			err = errFull
			return
		}
		s.writes(p.l, b)
		if err = p.notebook.Save(b); s.weather.meets(bookLate, "") {
			err = errFull
		}
	})
	return err
}

// copy returns what is stored, by key.
func (d *disk) copy() map[string]string {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := map[string]string{}
	for key, s := range d.secrets {
		all[key] = s.Reveal()
	}
	return all
}
