package agent

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// A flight is what is being done about one credential: a standby token that
// takes over, a source that is asked, a question about a refused token. There is
// one at a time for each credential; who wants the same waits for it.
type flight struct {
	done  chan struct{}
	asked bool // somebody waits for it: it is outside of the limit
	err   error
}

// flights are those that are under way.
type flights struct {
	mu   sync.Mutex
	life *life // nil: the agent does not run
	now  map[string]*flight
	busy bool // with chores

	checks int // questions about tokens in use
}

func (f *flights) begin(l *life) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.life = l
}

// end lets nothing begin any more and waits for what is under way.
func (f *flights) end(l *life) {
	f.mu.Lock()
	f.life = nil
	f.mu.Unlock()
	l.wg.Wait()
}

func (f *flights) has(name string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now[name] != nil
}

// room reports whether another one may begin that nobody waits for.
func (f *flights) room() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, one := range f.now {
		if !one.asked {
			n++
		}
	}
	return n < crowd
}

// aside has do done in the background, beside what is being done about a credential,
// and counts it as a question about a token. It reports false if the agent does not run.
func (f *flights) aside(a *Agent, do func(ctx context.Context)) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.life == nil {
		return false
	}
	l := f.life
	f.checks++
	l.wg.Go(func() {
		defer a.look() // others may have waited for this one to come to an end
		defer func() { f.mu.Lock(); f.checks--; f.mu.Unlock() }()
		ctx, cancel := context.WithTimeout(l.ctx, aloft)
		defer cancel()
		do(ctx)
	})
	return true
}

// chores has what is not saved saved, and what has ended swept, unless that is
// being done.
func (f *flights) chores(a *Agent) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.busy || f.life == nil {
		return
	}
	f.busy = true
	l := f.life
	l.wg.Go(func() {
		defer a.look()
		defer func() { f.mu.Lock(); f.busy = false; f.mu.Unlock() }()
		a.saveDue(l.ctx)
		a.sweep(l.ctx)
	})
}

// An order says what a flight is for.
type order struct {
	asked    bool   // somebody waits for it
	first    action // what is done first, in place of what would be decided; rest: nothing in particular
	byHand   bool   // a person wants the next token, whatever the current one is good for
	anyOwner bool   // another owner's token is meant

	left time.Duration // how long a token has to live to be good enough for who waits
}

// fly begins what is to be done about a credential, or joins what is under way:
// then it is not what was ordered, and fresh is false. It returns nil if the agent
// does not run.
func (a *Agent) fly(name string, o order) (one *flight, fresh bool) {
	f := &a.flights
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.life == nil {
		return nil, false
	}
	if one := f.now[name]; one != nil {
		if o.asked && !one.asked {
			one.asked = true
			a.look() // there is room for another one
		}
		return one, false
	}
	one = &flight{done: make(chan struct{}), asked: o.asked}
	f.now[name] = one
	l := f.life
	l.wg.Go(func() {
		defer a.look()
		defer close(one.done)
		defer func() { f.mu.Lock(); delete(f.now, name); f.mu.Unlock() }()
		ctx, cancel := context.WithTimeout(l.ctx, aloft)
		defer cancel()
		one.err = a.advance(ctx, name, o)
	})
	return one, true
}

// advance does what is to be done about a credential until nothing is, or until
// something cannot be done.
func (a *Agent) advance(ctx context.Context, name string, o order) error {
	a.catchUp(ctx) // another agent may have done it
	for {
		c, err := a.lookup(name)
		if err != nil {
			return err
		}
		if o.first != rest && !o.byHand && a.lasts(c, a.Now(), o.left) {
			return nil // another flight was faster
		}
		news := c.news && c.setting.Source != nil
		if o.first == rest {
			o.first = a.choose(c, o)
		} else {
			news = false // who ordered this wants to hear that there is none
		}
		switch o.first {
		case promote:
			err = a.promoteNext(ctx, c)
		case renew:
			if c.news {
				a.revise(name, func(next *credential) { next.news = false })
			}
			err = a.renew(ctx, c, o)
		case probe:
			err = a.probe(ctx, c)
		default:
			return nil
		}
		if ctx.Err() != nil && a.flights.over() {
			return err // the agent ends: that is nobody's fault
		}
		if news && (err == errSame || err == errSameForEver) {
			a.noteSame(name)
			return nil
		}
		if err != nil {
			a.noteFailure(name, err)
			return err
		}
		// A token that was found refused has left the way to the next one.
		o = order{asked: o.asked && o.first == promote}
	}
}

// choose says what is to be done about c: where somebody waits for it, also what
// would be done a little later.
func (a *Agent) choose(c *credential, o order) action {
	now := a.Now()
	d := a.decide(c, now)
	if o.asked && d.action == rest && !d.usable() {
		return c.urge(now)
	}
	return d.action
}

// over reports whether the agent does not run any more.
func (f *flights) over() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.life == nil
}

// noteFailure remembers why a credential did not get another token, so that the
// next attempt comes later, and status can tell.
func (a *Agent) noteFailure(name string, err error) {
	var f *SourceError
	if !errors.As(err, &f) {
		f = &SourceError{Class: Transient, Why: err.Error()}
		if e := (*ipc.Error)(nil); errors.As(err, &e) {
			f.Hint = e.Hint
		}
	}
	a.noNext.add(string(cmp.Or(f.Class, Broken)), "")
	again := false
	a.revise(name, func(next *credential) {
		calm := time.Duration(0)
		if f == errSame {
			calm = lifetime(next.token) / unchanged
		}
		again = next.renewal.why == f.Why
		next.renewal = next.renewal.fail(f, calm, a.Now())
	})
	if !again { // it may be so for days
		a.Log.Warn("no next token", "credential", name, "class", f.Class, "why", f.Why)
	}
}

// unchanged is how often in the lifetime of a token a source is asked that gives
// it again and again: it may be a program that a person has to agree to.
const unchanged = 100

// noteSame forgets why a source gave nothing before: it works, and has nothing new.
func (a *Agent) noteSame(name string) {
	a.revise(name, func(next *credential) {
		if next.renewal.why != errSame.Why {
			next.renewal = renewal{}
		}
	})
}
