package agent

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

const (
	// crowd is how many credentials get another token at once without anybody
	// waiting for it: a thousand that are due in the same second are no flood.
	crowd = 4

	// aloft is how long one attempt may take, source and verdict included. It
	// bounds what a source can hold on to, not how long a request waits.
	aloft = 90 * time.Second
)

// A life is one run of the agent: the parent of all that goes on in the
// background.
type life struct {
	ctx context.Context
	wg  sync.WaitGroup
}

// Run does what is to be done without being asked: it reads tokens from the
// store, saves those that could not be saved, gives credentials their next token
// in time and asks whether refused ones are alive again, until ctx ends. Between
// two of these it sleeps. A ledger that was deleted meanwhile is written again
// before Run returns.
func (a *Agent) Run(ctx context.Context) {
	defer a.leave()
	ctx, cancel := context.WithCancel(ctx)
	l := &life{ctx: ctx}
	a.flights.begin(l)
	defer func() { cancel(); a.flights.end(l) }()
	l.wg.Go(func() { a.reads(ctx) })
	l.wg.Go(func() { a.watchStore(ctx) })
	l.wg.Go(func() { a.watchSources(ctx) })
	for {
		a.Alarm.Set(a.Tend())
		select {
		case <-ctx.Done():
			return
		case <-a.Alarm.Rings():
		case <-a.poke:
		}
	}
}

// Tend looks at every credential, begins what is due, and returns when it wants
// to look again unless something happens before; zero: never.
func (a *Agent) Tend() (next time.Time) {
	now := a.Now()
	soonest := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	var due []*credential
	chores := false
	for _, c := range a.all() {
		d := a.decide(c, now)
		soonest(d.next)
		if d.action != rest && !a.flights.has(c.name) {
			due = append(due, c)
		}
		if at := c.vigil.routineAt(c.token); d.usable() && !at.IsZero() {
			if now.Before(at) {
				soonest(at)
			} else {
				a.askRoutinely(c)
			}
		}
		if at := c.keysDue(now, d); !at.IsZero() && now.Before(at) {
			soonest(at)
		} else if !at.IsZero() && a.flights.asking() < crowd {
			a.exchange(c)
		}
		at, some := c.chores(now, a.Store.Durable())
		soonest(at)
		chores = chores || some
	}
	if chores {
		a.flights.chores(a)
	}
	a.launch(due)
	return next
}

// chores says when something of c is to be saved or has ended, and whether that
// is now.
func (c *credential) chores(now time.Time, durable bool) (at time.Time, due bool) {
	look := func(t time.Time) {
		if !now.Before(t) {
			due = true
		} else if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	if c.unsaved != nil && durable {
		look(c.unsaved.next(now))
	}
	for _, list := range [][]token{c.standby, c.previous} {
		for _, t := range list {
			if t.expiry == ipc.ExpiryKnown {
				look(t.expires.Add(-useless + 1))
			}
		}
	}
	return at, due
}

// launch begins what is due, as far as there is room: what has not failed before
// what has, or else a few sources that hang would keep everything waiting that
// does not, and of the former what ends first, of the latter what was tried
// longest ago. Who finds no room is looked at again when another one has come down.
func (a *Agent) launch(due []*credential) {
	slices.SortFunc(due, func(x, y *credential) int {
		return cmp.Or(
			x.renewal.last.Compare(y.renewal.last), // zero where nothing has failed
			x.token.expires.Compare(y.token.expires), cmp.Compare(x.name, y.name))
	})
	for _, c := range due {
		if !a.flights.room() {
			return
		}
		a.fly(c.name, order{})
	}
}

// decide says how c is and what is to be done about it.
func (a *Agent) decide(c *credential, now time.Time) decision {
	g := gap(0)
	if c.token.secret.Empty() {
		g, _ = a.lacking(c)
	}
	return c.decide(now, a.policy(c.name), g)
}

func (a *Agent) policy(name string) rules {
	a.mu.RLock()
	defer a.mu.RUnlock()
	r := a.rules.Policy.of(name)
	if a.Host != "" {
		r.host = 1 + int(1000*jitter(a.Host, 0))
	}
	return r
}
