package agent

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// A want is a request that waits for a token to be read from the store.
type want struct {
	item item
	done chan struct{} // closed after the attempt, whatever came of it
}

// An item is one token of a credential, by its key.
type item struct{ name, key string }

// Restore reads the ledger. It must come before anything else; the secrets
// follow in Run.
func (a *Agent) Restore() error {
	b, err := a.Ledger.Load()
	if err != nil {
		return err
	}
	if b.Store != "" {
		a.stores.keep(b.Store)
	}
	a.noteBook(b)
	a.cas = b.CAs
	for _, r := range b.Credentials {
		c := revive(r, a.Now())
		if c.fellBack {
			a.Log.Warn("a token in memory only is gone: back to the one before", "credential", c.name, "id", c.token.id)
		}
		a.put(c)
	}
	a.override()
	return nil
}

// reads reads the tokens from the store, those that somebody waits for first,
// until ctx ends. What cannot be read is tried again, less and less often, and
// at once when a request needs it, or the store tells that it is worth it. When
// nothing is left to read, it sleeps.
func (a *Agent) reads(ctx context.Context) {
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case w := <-a.wants:
			if a.answer(ctx, w) == nil {
				next.Reset(0) // the store answers again: go on with the rest
			}
		case <-a.ready:
			a.overdue()
			next.Reset(0)
		case <-a.fresh:
			next.Reset(0)
		case <-next.C:
			switch wait := a.load(ctx); {
			case ctx.Err() != nil:
				return
			case wait > 0:
				next.Reset(wait)
			default:
				a.sweep(ctx)
			}
		}
	}
}

// leave writes the ledger if it is gone: without it, the next agent would know
// nothing of what rests in the store.
func (a *Agent) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), storeCall)
	defer cancel()
	if since, _ := a.locked(); !since.IsZero() {
		return // nothing has changed since
	}
	done, err := a.changing(ctx)
	if err != nil {
		a.Log.Warn("state not looked at: a change is under way")
		return
	}
	defer done()
	b := a.page()
	if len(b.Credentials)+len(b.Orphans) == 0 || !a.Ledger.Missing() {
		return
	}
	if err := a.write(b); err != nil {
		a.Log.Error("state is gone and cannot be written again", "error", err)
		return
	}
	a.Log.Warn("state was gone: written again")
}

// load reads every token that is still in the store, and before each of them
// what requests wait for by then. It returns how long to wait before it is worth
// another try, or zero if nothing is left.
func (a *Agent) load(ctx context.Context) (wait time.Duration) {
	for _, it := range a.unread() {
		a.answerAll(ctx)
		if ctx.Err() != nil {
			return 0
		}
		if t := a.read(ctx, it); t != nil && (wait == 0 || t.wait() < wait) {
			wait = t.wait()
		}
	}
	if wait == 0 {
		a.note(&a.trouble, nil) // those that it kept back may have been forgotten
	}
	return wait
}

// answerAll reads what requests wait for, until none does.
func (a *Agent) answerAll(ctx context.Context) {
	for {
		select {
		case w := <-a.wants:
			a.answer(ctx, w) // the request looks at what came of it
		default:
			return
		}
	}
}

func (a *Agent) answer(ctx context.Context, w want) *trouble {
	defer close(w.done)
	return a.read(ctx, w.item)
}

// unread lists the tokens that are still in the store, current ones before those
// in standby. It is not sorted: one that cannot be read must not stand before the
// same others always.
func (a *Agent) unread() []item {
	var current, standby []item
	for _, c := range a.all() {
		if c.token.inStore() {
			current = append(current, item{c.name, c.token.key})
		}
		for _, t := range c.standby {
			if t.inStore() {
				standby = append(standby, item{c.name, t.key})
			}
		}
	}
	return append(current, standby...)
}

// find returns the current or standby token of that key, or nil.
func (c *credential) find(key string) (found *token) {
	c.tokens(func(t *token) bool {
		if t.key == key {
			found = t
		}
		return found == nil
	})
	return found
}

// read reads one token, unless that was tried just now. It returns what keeps
// the token from being read, if that may pass.
func (a *Agent) read(ctx context.Context, it item) *trouble {
	c, err := a.lookup(it.name)
	if err != nil {
		return nil // forgotten
	}
	was := c.find(it.key)
	if was == nil || !was.inStore() {
		return nil // replaced, or read already
	}
	for _, t := range []*trouble{a.trouble.Load(), was.fault} {
		if t.fresh(a.Now()) {
			return t
		}
	}
	get, cancel := context.WithTimeout(ctx, storeCall)
	defer cancel()
	secret, err := a.Store.Get(get, it.key)
	if err == nil && secret.Empty() {
		err = errors.New("it gave an empty token")
	}
	switch {
	case ctx.Err() != nil:
		return nil // the agent ends: that is nobody's fault
	case outage(err):
		return a.noteOutage(err)
	}
	if a.note(&a.trouble, nil) != nil {
		a.Log.Info("the store answers again")
	}
	if err == nil {
		a.found(it, secret, nil)
		return nil
	}
	fault := was.fault.again(err, a.Now())
	if !a.found(it, ipc.Secret{}, fault) || errors.Is(err, ErrNotFound) {
		return nil
	}
	return fault
}

// found gives a token what the store said, unless it was replaced or forgotten
// while the store was asked.
func (a *Agent) found(it item, secret ipc.Secret, fault *trouble) bool {
	ok, was := false, (*trouble)(nil)
	a.revise(it.name, func(next *credential) {
		next.standby = slices.Clone(next.standby)
		if t := next.find(it.key); t != nil && t.inStore() {
			ok, was = true, t.fault
			t.secret, t.fault, t.api = secret, fault, t.api || IsAPIToken(secret)
		}
	})
	if ok {
		a.logFault(it.name, was, fault)
	}
	return ok
}

// await waits until the token of c has been read from the store, or has been
// tried to be, and returns the credential as it then is.
func (a *Agent) await(ctx context.Context, c *credential) *credential {
	ctx, cancel := context.WithTimeout(ctx, patient)
	defer cancel()
	w := want{item{c.name, c.token.key}, make(chan struct{})}
	select {
	case a.wants <- w:
		select {
		case <-w.done:
		case <-ctx.Done():
		}
	case <-ctx.Done():
	}
	if now, err := a.lookup(c.name); err == nil {
		return now
	}
	return c
}
