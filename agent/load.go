package agent

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

const (
	// readStore is how long one read of the store may take.
	readStore = 3 * time.Second

	// awaitLoad is how long a request waits for a token that is still in the
	// store. It is less than the plugin's own deadline.
	awaitLoad = 1500 * time.Millisecond

	// fresh is how long what is known about a store that gives nothing is
	// answered without another look at it: kubectl asks five times.
	freshTrouble = time.Second
)

// backoff is how long after a failed read the next one comes, unless a request
// asks before. A minute is the pace of an idle agent.
var backoff = []time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute}

// A want is a request that waits for a token to be read from the store.
type want struct {
	name string
	done chan struct{} // closed after the attempt, whatever came of it
}

// trouble is why the store gives nothing, and since when.
type trouble struct {
	err         error
	since, last time.Time
}

// Restore reads the ledger. It must come before anything else; the secrets
// follow in Run.
func (a *Agent) Restore() error {
	b, err := a.Ledger.Load()
	if err != nil {
		return err
	}
	a.book, a.cas = b, b.CAs
	for _, r := range b.Credentials {
		a.put(fromRecord(r))
	}
	return nil
}

// Run reads the tokens from the store, those that somebody waits for first,
// until ctx ends. A store that is locked or absent is tried again, less and
// less often, and at once when a request needs it.
func (a *Agent) Run(ctx context.Context) {
	queue := a.unread()
	failures := 0
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case w := <-a.wants:
			if a.read(ctx, w.name) == nil && failures > 0 {
				failures = 0
				timer.Reset(0) // it answers again: go on with the rest
			}
			close(w.done)
		case <-timer.C:
			for len(queue) > 0 && a.read(ctx, queue[0]) == nil {
				queue = queue[1:]
				if a.serveWants(ctx) {
					continue
				}
			}
			if len(queue) > 0 {
				timer.Reset(backoff[min(failures, len(backoff)-1)])
				failures++
			} else {
				a.sweep(ctx)
			}
		}
	}
}

// serveWants reads what requests wait for before the queue goes on.
func (a *Agent) serveWants(ctx context.Context) bool {
	for served := false; ; served = true {
		select {
		case w := <-a.wants:
			_ = a.read(ctx, w.name) // the request looks at what came of it
			close(w.done)
		default:
			return served
		}
	}
}

// unread lists the credentials whose token is still in the store.
func (a *Agent) unread() []string {
	a.mu.RLock()
	defer a.mu.RUnlock()
	var names []string
	for name, c := range a.creds {
		if c.inStore() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// inStore reports whether the token has yet to be read from the store.
func (c *credential) inStore() bool { return c.token.secret.Empty() && c.saved && !c.missing }

// read reads the token of one credential. Its error says that the store gives
// nothing at all; a token that is missing there is settled with that.
func (a *Agent) read(ctx context.Context, name string) error {
	c, err := a.lookup(name)
	if err != nil || !c.inStore() {
		return nil // read already, or forgotten
	}
	if t := a.trouble.Load(); t != nil && a.Now().Sub(t.last).Abs() < freshTrouble {
		return t.err
	}
	ctx, cancel := context.WithTimeout(ctx, readStore)
	defer cancel()
	secret, err := a.Store.Get(ctx, c.token.key)
	next := c.clone()
	switch {
	case err == nil:
		next.token.secret = secret
	case errors.Is(err, ErrNotFound):
		a.Log.Error("token is missing from the store", "credential", name, "store", a.Store.Info().Kind)
		next.missing = true
	default:
		a.noteTrouble(err)
		return err
	}
	if a.trouble.Swap(nil) != nil {
		a.Log.Info("the store answers again")
	}
	a.replace(c, next)
	return nil
}

// noteTrouble remembers why the store gives nothing; the log gets it once.
func (a *Agent) noteTrouble(err error) {
	now := a.Now()
	t := &trouble{err: err, since: now, last: now}
	if old := a.trouble.Load(); old != nil {
		t.since = old.since
	} else {
		a.Log.Warn("the store gives nothing", "store", a.Store.Info().Kind, "error", err)
	}
	a.trouble.Store(t)
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

// sweep removes from the store what no credential uses any more.
func (a *Agent) sweep(ctx context.Context) {
	done, err := a.changing(ctx)
	if err != nil {
		return
	}
	defer done()
	if len(a.book.Orphans) == 0 {
		return
	}
	b := a.page(nil, "")
	for _, key := range a.book.Orphans {
		ctx, cancel := context.WithTimeout(ctx, readStore)
		err := a.Store.Delete(ctx, key)
		cancel()
		if err == nil {
			b.adopt(key)
		}
	}
	if err := a.write(b); err != nil {
		a.Log.Warn("state not written", "error", err)
	}
}

// unusable says why a credential without a token has none.
func (a *Agent) unusable(c *credential) (ipc.State, string) {
	switch t := a.trouble.Load(); {
	case c.missing:
		return ipc.StateEmpty, "its token is no longer in the " + a.Store.Info().Kind
	case !c.inStore() && c.ephemeral:
		return ipc.StateEmpty, "its token was in memory only, and the agent has been restarted since"
	case !c.inStore():
		return ipc.StateEmpty, "there is no token"
	case t == nil:
		return ipc.StateLocked, "its token is being read from the " + a.Store.Info().Kind
	case errors.Is(t.err, ErrLocked):
		return ipc.StateLocked, "the " + a.Store.Info().Kind + " is locked"
	default:
		return ipc.StateLocked, "the " + a.Store.Info().Kind + " gives nothing since " + t.since.Local().Format(time.TimeOnly) + ": " + t.err.Error()
	}
}
