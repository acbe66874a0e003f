package agent

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/cwagent/cwagent/ipc"
)

// chosen is the store in use, one of those that there are. Which one is decided when
// the first token is stored; a move makes it another.
type chosen struct {
	all     []Store // the one that the config names, or that is tried first, before all others
	auto    bool    // the config leaves the choice
	now     atomic.Pointer[Store]
	changed chan struct{} // has room for one
	errors  *storeErrors
}

var _ StoreWatcher = (*chosen)(nil)

func newChosen(first Store, others []Store, auto bool) *chosen {
	c := &chosen{all: append([]Store{first}, others...), auto: auto, changed: make(chan struct{}, 1), errors: newStoreErrors()}
	c.now.Store(&first)
	return c
}

func (c *chosen) is() Store { return *c.now.Load() }

func (c *chosen) use(s Store) {
	c.now.Store(&s)
	Signal(c.changed)
}

// of returns the store of that kind, or nil.
func (c *chosen) of(kind string) Store {
	i := slices.IndexFunc(c.all, func(s Store) bool { return s.Info().Kind == kind })
	if i < 0 {
		return nil
	}
	return c.all[i]
}

// keep takes the store in which the tokens so far rest, or where the config names
// another one, nothing.
func (c *chosen) keep(kind string) {
	_, out := c.is().(elsewhere)
	switch s := c.of(kind); {
	case c.is().Info().Kind == kind && !out:
	case s != nil && (c.auto || out && s == c.all[0]):
		c.use(s)
	default:
		c.use(elsewhere{c.all[0], kind})
	}
}

// choose decides where the first token rests: in the first store that takes it and
// gives it back. One that is locked, or does not answer, is there all the same: a
// person sees to that, and no other is taken for it.
func (c *chosen) choose(ctx context.Context, key string, secret ipc.Secret) (err error) {
	for _, s := range c.all {
		if !s.Durable() {
			continue
		}
		now := c.errors.note("put", save(ctx, s, key, secret))
		if now == nil {
			c.use(s)
			return nil
		}
		if err == nil || !errors.Is(now, ErrAbsent) {
			err = now // of those that are there
		}
		_, silent := errors.AsType[*Silence](now)
		if silent || errors.Is(now, ErrLocked) {
			break
		}
	}
	return err
}

// Info implements Store, as all of these.
func (c *chosen) Info() ipc.StoreInfo { return c.is().Info() }

func (c *chosen) Durable() bool { return c.is().Durable() }

func (c *chosen) Plaintext(ctx context.Context) bool { return c.is().Plaintext(ctx) }

func (c *chosen) Get(ctx context.Context, key string) (ipc.Secret, error) {
	s, err := c.is().Get(ctx, key)
	return s, c.errors.note("get", err)
}

func (c *chosen) Put(ctx context.Context, key string, s ipc.Secret) error {
	return c.errors.note("put", c.is().Put(ctx, key, s))
}

func (c *chosen) Delete(ctx context.Context, key string) error {
	return c.errors.note("delete", c.is().Delete(ctx, key))
}

// Look implements StoreWatcher.
func (c *chosen) Look(ctx context.Context) error { return lookAt(ctx, c.is()) }

// lookAt asks a store how it is, if it can tell.
func lookAt(ctx context.Context, s Store) error {
	if w, ok := s.(StoreWatcher); ok {
		return w.Look(ctx)
	}
	return nil
}

// Watch implements StoreWatcher: of whichever store is in use.
func (c *chosen) Watch(ctx context.Context, ready func()) {
	for ctx.Err() == nil {
		one, cancel := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			if w, ok := c.is().(StoreWatcher); ok {
				w.Watch(one, ready)
			}
		}()
		select {
		case <-ctx.Done():
		case <-c.changed:
			ready() // another one is worth a try
		}
		cancel()
		<-done
	}
}
