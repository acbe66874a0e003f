package agent

import (
	"context"
	"errors"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// awaitLoad is how long a request waits for a token that is still in the store.
// It is less than the plugin's own deadline.
const awaitLoad = 1500 * time.Millisecond

// A want is a request that waits for a token to be read from the store.
type want struct {
	name string
	done chan struct{} // closed after the attempt, whatever came of it
}

// Restore reads the ledger. It must come before anything else; the secrets
// follow in Run.
func (a *Agent) Restore() error {
	b, err := a.Ledger.Load()
	if err != nil {
		return err
	}
	if b.Store != "" && b.Store != a.Store.Info().Kind {
		a.Store = elsewhere{a.Store, b.Store}
	}
	a.book = b
	for _, r := range b.Credentials {
		c := fromRecord(r)
		if c.fallBack(a.Now()) {
			a.Log.Warn("a token in memory only is gone: back to the one before", "credential", c.name, "id", c.token.id)
		}
		a.put(c)
	}
	return nil
}

// Run reads the tokens from the store, those that somebody waits for first,
// until ctx ends. What cannot be read is tried again, less and less often, and
// at once when a request needs it. When nothing is left to read, it sleeps. A
// ledger that was deleted meanwhile is written again before Run returns.
func (a *Agent) Run(ctx context.Context) {
	defer a.leave()
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
	done, err := a.changing(ctx)
	if err != nil {
		a.Log.Warn("state not looked at: a change is under way")
		return
	}
	defer done()
	b := a.page(nil, "")
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
	for _, name := range a.unread() {
		a.answerAll(ctx)
		if ctx.Err() != nil {
			return 0
		}
		if t := a.read(ctx, name); t != nil && (wait == 0 || t.wait() < wait) {
			wait = t.wait()
		}
	}
	if wait == 0 {
		a.trouble.Store(nil) // those that it kept back may have been forgotten
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
	return a.read(ctx, w.name)
}

// unread lists the credentials whose token is still in the store. It is not
// sorted: one that cannot be read must not stand before the same others always.
func (a *Agent) unread() []string {
	a.mu.RLock()
	defer a.mu.RUnlock()
	var names []string
	for name, c := range a.creds {
		if c.inStore() {
			names = append(names, name)
		}
	}
	return names
}

// inStore reports whether the token has yet to be read from the store.
func (c *credential) inStore() bool { return c.token.secret.Empty() && c.saved && !c.missing() }

// missing reports whether the store works and does not have the token.
func (c *credential) missing() bool {
	return c.token.fault != nil && errors.Is(c.token.fault.err, ErrNotFound)
}

// read reads the token of one credential, unless that was tried just now. It
// returns what keeps the token from being read, if that may pass.
func (a *Agent) read(ctx context.Context, name string) *trouble {
	c, err := a.lookup(name)
	if err != nil || !c.inStore() {
		return nil // forgotten, or read already
	}
	for _, t := range []*trouble{a.trouble.Load(), c.token.fault} {
		if t.fresh(a.Now()) {
			return t
		}
	}
	get, cancel := context.WithTimeout(ctx, storeCall)
	defer cancel()
	secret, err := a.Store.Get(get, c.token.key)
	if err == nil && secret.Empty() {
		err = errors.New("it gave an empty token")
	}
	switch {
	case ctx.Err() != nil:
		return nil // the agent ends: that is nobody's fault
	case outage(err):
		return a.noteOutage(err)
	}
	if a.trouble.Swap(nil) != nil {
		a.Log.Info("the store answers again")
	}
	if err == nil {
		a.found(c, secret, nil)
		return nil
	}
	fault := c.token.fault.again(err, a.Now())
	if !a.found(c, ipc.Secret{}, fault) || errors.Is(err, ErrNotFound) {
		return nil
	}
	return fault
}

// found gives the token of c what the store said, unless it was replaced or
// forgotten while the store was asked.
func (a *Agent) found(c *credential, secret ipc.Secret, fault *trouble) bool {
	a.mu.Lock()
	now := a.creds[c.name]
	if now == nil || now.token.key != c.token.key || !now.inStore() {
		a.mu.Unlock()
		return false
	}
	next := now.clone()
	next.revision = now.revision // nobody has changed it
	next.token.secret, next.token.fault = secret, fault
	a.creds[c.name] = next
	a.mu.Unlock()
	a.logFault(c.name, now.token.fault, fault)
	return true
}

// await waits until the token of c has been read from the store, or has been
// tried to be, and returns the credential as it then is.
func (a *Agent) await(ctx context.Context, c *credential) *credential {
	ctx, cancel := context.WithTimeout(ctx, awaitLoad)
	defer cancel()
	w := want{c.name, make(chan struct{})}
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
