package agent

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// A Latch keeps an agent from giving anything out, also past its end.
type Latch interface {
	// Shut says since when it is; zero: it is open. Guarded: a passphrase opens it.
	Shut() (since time.Time, guarded bool)

	// Prepare takes the time that a passphrase costs; an empty one guards nothing. What
	// it returns then shuts it, and has the agent begin anew, without what is in its
	// memory, as soon as the answers are given that it owes.
	Prepare(passphrase ipc.Secret) (shut func() error, err error)

	// Open opens it. A passphrase that is not the right one is an *ipc.Error with
	// CodePassphrase.
	Open(ctx context.Context, passphrase ipc.Secret) error
}

// locked is since when the agent is locked; zero: it is not.
func (a *Agent) locked() (since time.Time, guarded bool) {
	if a.Latch == nil {
		return time.Time{}, false
	}
	return a.Latch.Shut()
}

// ErrAgentLocked is the answer of an agent that is locked since then.
func ErrAgentLocked(since, now time.Time) error {
	return &ipc.Error{Code: ipc.CodeLocked, What: "agent: locked since " + clock(since, now), Hint: "cwagent unlock"}
}

// LastGiven is when a token was given out last, or when the agent began.
func (a *Agent) LastGiven() time.Time {
	if ns := a.given.Load(); ns != 0 {
		return time.Unix(0, ns)
	}
	return a.started
}

// Lock implements ipc.Agent. From the look at what would be lost until the latch is shut
// nobody changes anything; who has waited for that is refused.
func (a *Agent) Lock(ctx context.Context, r ipc.LockRequest) error {
	if a.Latch == nil {
		return invalid("agent: it cannot be locked", "")
	}
	shut, err := a.Latch.Prepare(r.Passphrase)
	if err != nil {
		return err
	}
	a.saveNow(ctx)
	done, err := a.changing(ctx)
	if err != nil {
		return err
	}
	defer done()
	if lost := a.inMemoryOnly(); len(lost) > 0 && !r.Force {
		return &ipc.Error{
			Code: ipc.CodeStore,
			What: "agent: it has tokens in memory only, which are gone when it is locked: " + strings.Join(lost, ", "),
			Hint: "nothing was locked; insist with --force, if they may be lost",
		}
	}
	if err := shut(); err != nil {
		return err
	}
	a.Log.InfoContext(ctx, "locked", "passphrase", !r.Passphrase.Empty())
	return nil
}

// Unlock implements ipc.Agent.
func (a *Agent) Unlock(ctx context.Context, r ipc.UnlockRequest) (reply ipc.UnlockReply, err error) {
	since, guarded := a.locked()
	reply.Was = !since.IsZero()
	switch {
	case reply.Was && r.Store != "": // who wants a store has not said that the agent is to be unlocked
		return reply, ErrAgentLocked(since, a.Now())
	case reply.Was:
		if guarded && r.Passphrase.Empty() {
			reply.Wants = ipc.WantsPassphrase
			return reply, nil
		}
		if err := a.Latch.Open(ctx, r.Passphrase); err != nil {
			a.Log.WarnContext(ctx, "not unlocked", "error", err)
			return reply, err
		}
		a.Log.InfoContext(ctx, "unlocked")
		if guarded {
			r.Passphrase = ipc.Secret{} // it was for this
		}
	}
	store := a.locksOut(ctx, r.Store)
	if store == nil {
		return reply, nil
	}
	reply.Was = true
	s, ok := store.(Unlocker)
	if !ok {
		reply.Wants = ipc.WantsKeyring
		return reply, nil
	}
	if r.Passphrase.Empty() {
		reply.Asks, err = s.Asks(ctx)
		if err != nil {
			return reply, &ipc.Error{Code: ipc.CodeStore, What: "store " + store.Info().Kind + ": " + err.Error(), Hint: "no passphrase helps; it opens by itself when that is mended"}
		}
		if reply.Asks != "" {
			reply.Wants = ipc.WantsStore
			return reply, nil
		}
	}
	if err := s.Unlock(ctx, r.Passphrase); err != nil {
		a.Log.WarnContext(ctx, "store not unlocked", "store", store.Info().Kind, "error", err)
		return reply, errUnlock(store.Info().Kind, err)
	}
	Signal(a.ready)
	return reply, nil
}

// locksOut is the store of that kind, or else the one in use, if it is locked; where
// none is in use yet, the first that is.
func (a *Agent) locksOut(ctx context.Context, kind string) Store {
	stores := []Store{a.stores.is()}
	if kind != "" {
		stores = []Store{a.stores.of(kind)}
	} else if a.Auto && !a.uses() {
		stores = a.stores.all
	}
	for _, s := range stores {
		look, cancel := context.WithTimeout(ctx, inspection)
		locked := s != nil && errors.Is(lookAt(look, s), ErrLocked)
		cancel()
		if locked {
			return s
		}
	}
	return nil
}

// errUnlock says why a store stays locked.
func errUnlock(kind string, err error) error {
	if errors.Is(err, ErrRefused) {
		return &ipc.Error{Code: ipc.CodePassphrase, What: "store " + kind + ": that is not its passphrase", Hint: "try again: cwagent unlock"}
	}
	return &ipc.Error{Code: ipc.CodeStore, What: "store " + kind + ": " + err.Error(), Hint: "cwagent store shows it"}
}
