package agent

import (
	"context"
	"slices"
	"sync/atomic"
	"time"
)

// What cannot be read or saved is tried again with longer and longer pauses. A
// store that can tell when it is worth a try (StoreWatcher) makes them end at once.

// note sets one of the two troubles, and returns what it was. Their coming and
// going begins and ends the watch.
func (a *Agent) note(which *atomic.Pointer[trouble], is *trouble) (was *trouble) {
	was = which.Swap(is)
	if (was == nil) != (is == nil) {
		Signal(a.turned)
		if a.Changed != nil { // what has no token in memory is locked, or is not any more
			a.Changed()
		}
	}
	return was
}

func (a *Agent) ails() bool { return a.trouble.Load() != nil || a.silent.Load() != nil }

// watchStore watches the store while it is in trouble, until ctx ends.
func (a *Agent) watchStore(ctx context.Context) {
	for ctx.Err() == nil {
		if a.ails() {
			a.watchUntilWell(ctx)
		}
		select {
		case <-ctx.Done():
		case <-a.turned:
		}
	}
}

func (a *Agent) watchUntilWell(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		a.stores.Watch(ctx, func() { Signal(a.ready) })
	}()
	for a.ails() && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-a.turned:
		}
	}
	cancel()
	<-done
}

// overdue makes all that waits for the store be tried again now. That the store is
// in trouble stays known until something has come of it: a store that says it is
// ready, and is not, is not asked again and again.
func (a *Agent) overdue() {
	for _, which := range []*atomic.Pointer[trouble]{&a.trouble, &a.silent} {
		if t := which.Load(); t != nil {
			which.CompareAndSwap(t, t.overdue())
		}
	}
	for _, c := range a.all() {
		if c.unsaved != nil {
			a.revise(c.name, func(next *credential) {
				if next.unsaved != nil {
					next.unsaved = next.unsaved.overdue()
				}
			})
		}
	}
}

// owes reports whether something waits to be saved.
func (a *Agent) owes() bool {
	return slices.ContainsFunc(a.all(), func(c *credential) bool { return c.unsaved != nil })
}

// uses reports whether something rests in the store, or waits to.
func (a *Agent) uses() bool {
	return a.owes() || slices.ContainsFunc(a.all(), (*credential).trusts)
}

// overdue is t as if it had last been tried long ago.
func (t *trouble) overdue() *trouble { return &trouble{err: t.err, since: t.since, tries: 1} }

// inspection is how long a person who asks for the status waits for the store,
// which answers in milliseconds.
const inspection = time.Second

// inspect finds out how a store does that nobody has had to ask for a while: with
// all tokens in memory, nothing else would tell that it is locked or hangs. Where no
// token rests in it, as on a machine without a keyring, it is not asked.
func (a *Agent) inspect(ctx context.Context) *trouble {
	t := a.silent.Load()
	if t == nil && !a.uses() || t != nil && a.Now().Before(t.next(a.Now())) {
		return t
	}
	ctx, cancel := context.WithTimeout(ctx, inspection)
	defer cancel()
	err := a.stores.Look(ctx)
	switch {
	case ctx.Err() == context.Canceled:
		return t
	case err != nil:
		return a.noteSilence(err)
	case t != nil:
		Signal(a.ready)
	}
	return nil
}
