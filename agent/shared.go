package agent

import (
	"context"
	"errors"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// Machines that share a HOME have an agent each, and one ledger. Whoever changes
// something holds the ledger's lock for as long as that takes, store calls included,
// and first takes over what another one has written: so no change is lost, and a key
// among the orphans is nobody's who is about to use it. What only one has in memory
// stays with that one.
//
// A ledger that cannot be locked or read is one that cannot be written. Memory goes
// on without it, as with a full disk.

const (
	// shareWait is how long a change waits for another agent's, which may have to
	// wait for a store.
	shareWait = 5 * time.Second

	// hangs is how much longer the disk itself may take. A folder of a file server
	// that is gone does not answer until that is back.
	hangs = 200 * time.Millisecond
)

var errDiskHangs = errors.New("state folder: it does not answer")

// A hold is what came of reaching for the ledger.
type hold struct {
	unlock  func()
	changed bool  // somebody else has written it
	err     error // why it cannot be written now
}

// reach finds out whether somebody else has written the ledger, and keeps them from
// it until unlock, if lock is set. The caller is the one who may change.
func (a *Agent) reach(ctx context.Context, lock bool) hold {
	select {
	case a.reaching <- struct{}{}:
	default: // one that hangs is enough
		return hold{func() {}, false, errDiskHangs}
	}
	wait := shareWait
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline))
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	got, late := make(chan hold), make(chan struct{})
	go func() {
		h := a.hold(ctx, lock)
		<-a.reaching
		select {
		case got <- h:
		case <-late:
			h.unlock()
		}
	}()
	limit := time.NewTimer(wait + hangs)
	defer limit.Stop()
	select {
	case h := <-got:
		return h
	case <-limit.C:
		close(late)
		return hold{func() {}, false, errDiskHangs}
	}
}

func (a *Agent) hold(ctx context.Context, lock bool) (h hold) {
	h.unlock = func() {}
	if lock {
		unlock, err := a.Ledger.Lock(ctx)
		if err != nil {
			return hold{h.unlock, false, err}
		}
		h.unlock = unlock
	}
	h.changed, h.err = a.Ledger.Changed()
	return h
}

// share begins a change: others are kept from the ledger until unlock, and what they
// have written is taken over. The caller is the one who may change.
func (a *Agent) share(ctx context.Context) (unlock func()) {
	h := a.reach(ctx, true)
	a.barred = h.err
	if h.changed {
		a.barred = a.reread()
	}
	return h.unlock
}

// Sync takes over what other agents, which have the same ledger, have written since
// this one looked last.
func (a *Agent) Sync(ctx context.Context) {
	done, err := a.turn(ctx)
	if err != nil {
		return // who has it has looked
	}
	defer done()
	h := a.reach(ctx, false)
	if h.changed {
		h.err = a.reread()
	}
	said := ""
	if h.err != nil {
		said = h.err.Error()
	}
	if said != "" && said != a.unheard { // it may be so for days
		a.Log.Warn("state not read again", "error", h.err)
	}
	a.unheard = said
}

// catchUp is Sync for who has somebody waiting.
func (a *Agent) catchUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	a.Sync(ctx)
}

// catchUpOnce is catchUp for those of whom there may be many a second: the ledger is
// read for the first of them.
func (a *Agent) catchUpOnce(ctx context.Context) {
	last, now := a.caught.Load(), a.Now().UnixNano()
	if time.Duration(now-last).Abs() >= freshTrouble && a.caught.CompareAndSwap(last, now) {
		a.catchUp(ctx)
	}
}

// seek is lookup for a name that another agent may have made just now.
func (a *Agent) seek(ctx context.Context, name string) (*credential, error) {
	c, err := a.lookup(name)
	if err != nil && CheckName(name) == nil {
		a.catchUp(ctx)
		c, err = a.lookup(name)
	}
	return c, err
}

// reread takes over the book that somebody else has written. The caller is the one
// who may change.
func (a *Agent) reread() error {
	b, err := a.Ledger.Load()
	if err != nil {
		return err
	}
	a.adopt(b)
	return nil
}

// errBarred is what a person reads of a change that cannot be written down.
func errBarred(err error) error {
	var e *ipc.Error
	if errors.As(err, &e) {
		return e
	}
	return &ipc.Error{Code: ipc.CodeStore, What: err.Error(), Hint: "nothing was changed; look at the disk and the state folder"}
}
