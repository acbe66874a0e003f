package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// blocking is the part of a store that may hang, whatever its ctx says: a
// program that waits for a person, a daemon that was stopped.
type blocking interface {
	Get(ctx context.Context, key string) (ipc.Secret, error)
	Put(ctx context.Context, key string, s ipc.Secret) error
	Delete(ctx context.Context, key string) error
}

// bounded lets every call return when its ctx ends, and at most one be with the
// store. A call that hangs cannot be taken back: it leaves a goroutine, and on
// macOS a process. So there is never more than that one: the others wait for
// it, each until its own deadline, and go on as soon as it returns.
type bounded struct {
	store blocking
	wait  time.Duration // the deadline of a call that brings none
	slot  chan struct{} // capacity one; who has put something in may call

	mu     sync.Mutex
	out    *outstanding
	silent time.Time // start of the first call that overran; zero after an answer
}

// outstanding is a call that has not returned.
type outstanding struct{ from time.Time }

func newBounded(s blocking, wait time.Duration) *bounded {
	return &bounded{store: s, wait: wait, slot: make(chan struct{}, 1)}
}

// Get, Put and Delete are those of agent.Store.
func (b *bounded) Get(ctx context.Context, key string) (ipc.Secret, error) {
	return within(ctx, b, func(ctx context.Context) (ipc.Secret, error) { return b.store.Get(ctx, key) })
}

func (b *bounded) Put(ctx context.Context, key string, s ipc.Secret) error {
	_, err := within(ctx, b, func(ctx context.Context) (any, error) { return nil, b.store.Put(ctx, key, s) })
	return err
}

func (b *bounded) Delete(ctx context.Context, key string) error {
	_, err := within(ctx, b, func(ctx context.Context) (any, error) { return nil, b.store.Delete(ctx, key) })
	return err
}

// within runs call as the only one, and returns when it does or when ctx ends.
// Nobody waits for a call that was left behind, as nothing could end it.
func within[T any](ctx context.Context, b *bounded, call func(context.Context) (T, error)) (none T, _ error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, b.wait)
		defer cancel()
	}
	came := time.Now()
	if ctx.Err() != nil {
		return none, b.late(ctx, nil, came)
	}
	select {
	case b.slot <- struct{}{}:
	case <-ctx.Done():
		return none, b.late(ctx, nil, came)
	}
	type answer struct {
		value T
		err   error
	}
	mine, done := b.start(), make(chan answer, 1)
	go func() {
		value, err := call(ctx)
		b.finish(ctx, err)
		<-b.slot
		done <- answer{value, err}
	}()
	var a answer
	select {
	case a = <-done:
	case <-ctx.Done():
		select {
		case a = <-done: // both at once: an answer is an answer
		default:
			return none, b.late(ctx, mine, came)
		}
	}
	if a.err != nil && ctx.Err() != nil { // it heeded its ctx
		return none, b.late(ctx, mine, came)
	}
	return a.value, a.err
}

func (b *bounded) start() *outstanding {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.out = &outstanding{time.Now()}
	return b.out
}

// finish notes that the store answered, unless all that happened is that the
// call gave up.
func (b *bounded) finish(ctx context.Context, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil || ctx.Err() == nil {
		b.silent = time.Time{}
	} else if b.silent.IsZero() && ctx.Err() == context.DeadlineExceeded {
		b.silent = b.out.from
	}
	b.out = nil
}

// late says why a call that came at that time goes without an answer. mine is
// its own call, nil if it never began.
func (b *bounded) late(ctx context.Context, mine *outstanding, came time.Time) error {
	if ctx.Err() != context.DeadlineExceeded {
		return fmt.Errorf("%w: %w", agent.ErrAbsent, ctx.Err())
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if mine != nil && b.out == mine && b.silent.IsZero() {
		b.silent = mine.from
	}
	since := b.silent
	switch {
	case !since.IsZero():
	case mine != nil:
		since = mine.from
	case b.out != nil && !b.out.from.After(came):
		since = b.out.from
	default:
		return fmt.Errorf("%w: too many calls before this one", agent.ErrAbsent)
	}
	return &agent.Silence{Since: since}
}
