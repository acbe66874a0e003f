package agent

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// A token takes over in memory first and is then saved: whoever asks gets the
// new one at once, whatever the store does, and a crash in between leaves the old
// one in the store, which works. What could not be saved is tried again.

// takeOver makes t, which has been vouched for, the token of c, which is the
// current credential of its name. The caller is the one who may change.
func (a *Agent) takeOver(ctx context.Context, c *credential, t token, from string) *credential {
	next := c.promote(t, a.Now())
	next.held = from == rolledBack
	next.probes.last = a.Now() // it has just been asked about
	next.settle()
	a.put(next)
	a.rotations.add(from, "")
	a.Log.InfoContext(ctx, "token promoted", "credential", next.name, "id", t.id, "from", from)
	return a.keep(ctx, next, next.trusts())
}

// keep saves what of c is not saved and should be, and remembers why it could
// not. It returns the credential as it is then. The caller is the one who may
// change, and holds everybody else up who wants to: a store that has just shown
// that it does not answer is not asked again for a while.
func (a *Agent) keep(ctx context.Context, c *credential, plaintextToo bool) *credential {
	if t := a.silent.Load(); t != nil && a.Now().Before(t.next(a.Now())) {
		return a.noteUnsaved(c.name, t.err, t)
	}
	ctx, stop := a.yielding(ctx)
	defer stop()
	next, err := c, a.fits(ctx, c, plaintextToo, a.inClear(ctx))
	if err == nil {
		err = a.persist(ctx, &next)
	}
	if err == nil {
		a.note(&a.silent, nil)
		a.discard(ctx)
		return next
	}
	return a.noteUnsaved(c.name, err, a.noteSilence(err))
}

// grace is how long a store may take while somebody else waits for a turn. A
// healthy keyring answers in milliseconds.
const grace = 300 * time.Millisecond

// yielding returns a ctx that ends early where the store takes its time and others
// wait for their turn to change: what cannot be saved now is saved later.
func (a *Agent) yielding(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() {
		look := time.NewTicker(grace)
		defer look.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-look.C:
				if a.waiters.Load() > 0 {
					cancel()
				}
			}
		}
	})
	return ctx, func() { cancel(); watching.Wait() }
}

// noteSilence remembers that the store does not take anything, if that is what err
// is about.
func (a *Agent) noteSilence(err error) *trouble {
	if !outage(err) {
		return nil
	}
	t := a.silent.Load().again(bareCause(err), a.Now())
	a.note(&a.silent, t)
	return t
}

// noteUnsaved remembers why a credential is not saved; t, if not nil, is the
// trouble of the whole store, with which it waits for another try.
func (a *Agent) noteUnsaved(name string, err error, t *trouble) *credential {
	return a.revise(name, func(next *credential) {
		was := next.unsaved
		next.unsaved = was.again(err, a.Now())
		if t != nil {
			next.unsaved.last, next.unsaved.tries = t.last, t.tries
		}
		if was == nil {
			a.Log.Warn("not saved", "credential", name, "error", err)
		}
	})
}

// trusts reports whether a token of c rests in the store already: what is good
// enough for one is for the next.
func (c *credential) trusts() bool {
	trusted := slices.ContainsFunc(c.previous, func(t token) bool { return t.saved })
	c.tokens(func(t *token) bool { trusted = trusted || t.saved; return !trusted })
	return trusted
}

// persist saves the tokens of all creds that are not in the store, reads them
// back, and writes the book; each step is written down before it is taken: a crash
// between any two leaves credentials that work, and what is left over is swept at
// the next start. It puts what has become of each in its place. Where it fails,
// nothing has changed but what is in the store.
func (a *Agent) persist(ctx context.Context, creds ...**credential) error {
	var all []*credential
	var fresh []string
	for _, c := range creds {
		next := (*c).same()
		next.unsaved = nil
		next.standby = append([]token(nil), next.standby...)
		for _, t := range next.unstored() {
			fresh = append(fresh, t.key)
		}
		all = append(all, next)
	}
	if len(fresh) > 0 {
		intent := a.page()
		for _, key := range fresh {
			intent.orphan(key)
		}
		if err := a.write(intent); err != nil {
			return err
		}
	}
	if err := a.decideStore(ctx, all); err != nil {
		return err
	}
	for _, next := range all {
		if err := a.saveAll(ctx, next); err != nil {
			return err
		}
	}
	b := a.page(all...)
	if len(fresh) > 0 {
		b.Store, b.Host = a.Store.Info().Kind, a.hostOf(a.stores.is())
	}
	if err := a.write(b); err != nil {
		return err
	}
	for i, next := range all {
		a.put(next)
		*creds[i] = next
	}
	return nil
}

// saveAll saves the tokens of c, which nobody else knows yet.
func (a *Agent) saveAll(ctx context.Context, c *credential) error {
	fresh := c.unstored()
	for _, t := range fresh {
		if err := save(ctx, a.Store, t.key, t.secret); err != nil {
			return err
		}
		t.saved = true
	}
	if len(fresh) > 0 {
		c.previous = a.others(ctx, c)
	}
	return nil
}

// unstored are the tokens of c that are to be saved.
func (c *credential) unstored() []*token {
	var fresh []*token
	c.tokens(func(t *token) bool {
		if !t.saved && !t.secret.Empty() && !t.brief {
			fresh = append(fresh, t)
		}
		return true
	})
	return fresh
}

// others are those tokens that c had before its current one, which is saved by
// now, without any that turns out to be the current one: a store that did not give
// it when it gave way does so now.
func (a *Agent) others(ctx context.Context, c *credential) []token {
	return slices.DeleteFunc(slices.Clone(c.previous), func(t token) bool {
		switch {
		case !c.token.saved || !t.inStore():
			return false
		case t.id != "" && c.token.id != "":
			return t.id == c.token.id
		case !t.unknown:
			return false
		}
		get, cancel := context.WithTimeout(ctx, storeCall)
		defer cancel()
		secret, err := a.Store.Get(get, t.key)
		return err == nil && secret.Equal(c.token.secret)
	})
}

// fits reports whether the store is one that a new token of c may rest in.
func (a *Agent) fits(ctx context.Context, c *credential, plaintextToo bool, inClear func() bool) error {
	brief := true
	c.tokens(func(t *token) bool { brief = brief && t.brief; return brief })
	if brief {
		return nil
	}
	info := a.Store.Info()
	if !a.Store.Durable() {
		return &ipc.Error{
			Code: ipc.CodeStore,
			What: "store " + info.Kind + ": it forgets its tokens when the agent ends",
			Hint: "--ephemeral accepts that; without it nothing is changed",
		}
	}
	if a.book.Store != "" && a.book.Store != info.Kind {
		return &ipc.Error{
			Code: ipc.CodeStore,
			What: "store " + info.Kind + ": the tokens so far rest in the " + a.book.Store,
			Hint: "set store: " + a.book.Store + " in the config, or move them: cwagent store migrate " + info.Kind,
		}
	}
	if !a.reached(ctx) {
		return errFar(info.Kind, a.book.Host)
	}
	if !plaintextToo && len(c.unstored()) > 0 && inClear() {
		return errPlaintext(info.Kind)
	}
	return nil
}

// inClear finds out, when it is first asked, whether the store has a password: a
// keyring takes its time for that.
func (a *Agent) inClear(ctx context.Context) func() bool {
	return sync.OnceValue(func() bool { return plaintext(ctx, a.Store) })
}

func errPlaintext(kind string) error {
	return &ipc.Error{
		Code: ipc.CodeStore,
		What: "store " + kind + ": it has no password, so its tokens would lie on disk in clear",
		Hint: "give the keyring a password, or accept it with --allow-plaintext-keyring; nothing was changed",
	}
}

// saveDue saves what could not be saved so far and is due for another try.
func (a *Agent) saveDue(ctx context.Context) {
	for _, c := range a.all() {
		if c.unsaved == nil || a.Now().Before(c.unsaved.next(a.Now())) {
			continue
		}
		if !a.saveAgain(ctx, c.name) {
			return
		}
	}
}

// saveAgain tries to save a credential once more. It reports whether it had its turn.
func (a *Agent) saveAgain(ctx context.Context, name string) bool {
	done, err := a.changing(ctx)
	if err != nil {
		return false
	}
	defer done()
	now, err := a.lookup(name)
	if err == nil && now.unsaved != nil {
		if now = a.keep(ctx, now, now.trusts()); now.unsaved == nil {
			a.Log.Info("saved at last", "credential", name)
		}
	}
	return true
}

// unsavedWords say why what should be saved is not.
func (c *credential) unsavedWords() string {
	if c.unsaved == nil {
		return ""
	}
	var e *ipc.Error
	if errors.As(c.unsaved.err, &e) {
		return c.unsaved.clock() + ": " + e.What
	}
	return c.unsaved.String()
}
