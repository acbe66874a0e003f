package store

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// hanging is a store that hangs while gate is closed, whatever its ctx says. It
// counts who is inside.
type hanging struct {
	gate   chan struct{}
	mu     sync.Mutex
	inside int
	most   int
	calls  int
}

func (h *hanging) enter() {
	h.mu.Lock()
	h.inside++
	h.calls++
	h.most = max(h.most, h.inside)
	gate := h.gate
	h.mu.Unlock()
	<-gate
	h.mu.Lock()
	h.inside--
	h.mu.Unlock()
}

func (h *hanging) Get(context.Context, string) (ipc.Secret, error) {
	h.enter()
	return ipc.NewSecret("x"), nil
}
func (h *hanging) Put(context.Context, string, ipc.Secret) error { h.enter(); return nil }
func (h *hanging) Delete(context.Context, string) error          { h.enter(); return agent.ErrLocked }

func (h *hanging) seen() (calls, most int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.calls, h.most
}

func (h *hanging) open() { close(h.gate) }
func (h *hanging) shut() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gate = make(chan struct{})
}

func newHanging() (*hanging, *bounded) {
	h := &hanging{}
	h.shut()
	return h, newBounded(h, 3*time.Second)
}

func wantSince(t *testing.T, err error, since string) {
	t.Helper()
	if !errors.Is(err, agent.ErrAbsent) || !strings.HasSuffix(err.Error(), "does not answer since "+since) {
		t.Errorf("%v; want ErrAbsent, since %s", err, since)
	}
}

func TestBoundedHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, b := newHanging()
		time.Sleep(15*time.Hour + 4*time.Minute - time.Since(midnight()))
		began := time.Now()
		_, err := b.Get(t.Context(), "a")
		wantSince(t, err, "15:04")
		if d := time.Since(began); d != 3*time.Second {
			t.Errorf("without a deadline it took %v", d)
		}

		// 20 calls a second: each is back at its own deadline.
		time.Sleep(10 * time.Minute)
		var wg sync.WaitGroup
		for range 60 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				began := time.Now()
				wantSince(t, b.Put(ctx, "a", ipc.NewSecret("x")), "15:04")
				if d := time.Since(began); d != 2*time.Second {
					t.Errorf("with a deadline of 2s it took %v", d)
				}
			})
			time.Sleep(50 * time.Millisecond)
		}
		wg.Wait()
		if n, _ := h.seen(); n != 1 {
			t.Errorf("%d calls are with the store", n)
		}

		// One that waits goes on as soon as the hung one returns.
		wg.Go(func() {
			if _, err := b.Get(t.Context(), "a"); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		h.open()
		wg.Wait()
		if err := b.Delete(t.Context(), "a"); !errors.Is(err, agent.ErrLocked) {
			t.Errorf("%v; want its own answer", err)
		}
		if _, most := h.seen(); most != 1 {
			t.Errorf("%d calls at once", most)
		}

		// It has answered since: the next silence is a new one.
		h.shut()
		time.Sleep(time.Hour)
		_, err = b.Get(t.Context(), "a")
		wantSince(t, err, "16:14")
		time.Sleep(24 * time.Hour)
		wantSince(t, b.Put(t.Context(), "a", ipc.Secret{}), "1 Jan 16:14")
		h.open()
	})
}

// midnight is when a bubble's clock starts, in local time.
func midnight() time.Time {
	y, m, d := time.Now().Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.Local)
}

// heeding is a store that hangs, but gives up when its ctx ends.
type heeding struct{ hanging }

func (h *heeding) Get(ctx context.Context, _ string) (ipc.Secret, error) {
	select {
	case <-h.gate:
		return ipc.NewSecret("x"), nil
	case <-ctx.Done():
		return ipc.Secret{}, errors.New("its own words")
	}
}

func TestBoundedHeeding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &heeding{}
		h.shut()
		b := newBounded(h, 3*time.Second)
		first := time.Now().Format("15:04")
		for range 3 {
			_, err := b.Get(t.Context(), "a")
			wantSince(t, err, first)
			time.Sleep(time.Hour)
		}
		h.open()
		if _, err := b.Get(t.Context(), "a"); err != nil {
			t.Error(err)
		}
	})
}

func TestBoundedCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, b := newHanging()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := b.Get(ctx, "a"); !errors.Is(err, agent.ErrAbsent) || !errors.Is(err, context.Canceled) || h.calls != 0 {
			t.Errorf("ended before it began: %v, %d calls", err, h.calls)
		}
		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if _, err := b.Get(ctx, "a"); !errors.Is(err, context.Canceled) {
			t.Errorf("given up: %v", err)
		}
		if !b.silent.IsZero() {
			t.Error("a caller that lost patience is no silence of the store")
		}
		h.open()
	})
}

// A store that answers, only not as fast as it is asked, is not called silent.
func TestBoundedBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBounded(&slow{}, 3*time.Second)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				if _, err := b.Get(ctx, "a"); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		_, err := b.Get(t.Context(), "a")
		if !errors.Is(err, agent.ErrAbsent) || !strings.HasSuffix(err.Error(), "too many calls before this one") {
			t.Error(err)
		}
		wg.Wait()
	})
}

// slow needs 2 s.
type slow struct{ hanging }

func (*slow) Get(ctx context.Context, _ string) (ipc.Secret, error) {
	time.Sleep(2 * time.Second)
	return ipc.Secret{}, ctx.Err()
}
