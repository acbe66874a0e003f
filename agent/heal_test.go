package agent_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// herald is a disk that can tell when it is of use.
type herald struct {
	*disk
	look func(ctx context.Context) error

	mu    sync.Mutex
	ready func() // of the watch that runs, or nil
	began int    // how many have
}

// heralded makes the disk of w one that tells.
func heralded(w *world) *herald {
	h := &herald{disk: w.disk, look: func(ctx context.Context) error { return w.disk.begin(ctx, "look") }}
	w.SetStore(h)
	return h
}

func (h *herald) Look(ctx context.Context) error { return h.look(ctx) }

func (h *herald) Watch(ctx context.Context, ready func()) {
	h.set(ready)
	if h.look(ctx) == nil {
		ready()
	}
	<-ctx.Done()
	h.set(nil)
}

func (h *herald) set(ready func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ready = ready; ready != nil {
		h.began++
	}
}

// tell says that the disk is of use, and returns when all that follows from it has
// been done. It reports whether anybody listened.
func (h *herald) tell() bool {
	h.mu.Lock()
	ready := h.ready
	h.mu.Unlock()
	if ready != nil {
		ready()
	}
	synctest.Wait()
	return ready != nil
}

func (h *herald) watches() (now bool, began int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ready != nil, h.began
}

// A store that tells of its unlocking has its tokens read at that moment, and is
// watched no longer than it is in trouble.
func TestUnlockTold(t *testing.T) {
	loading(t, 3, func(w *world) {
		l, h := lockedUp(w), heralded(w)
		stop := w.run()
		defer stop()
		time.Sleep(200 * time.Second)
		w.fetch("c1", home) // it has been tried just now
		l.locked.Store(false)
		if !h.tell() {
			w.t.Error("nobody watches")
		}
		if left := w.unread(); len(left) != 0 {
			w.t.Errorf("not read: %v", left)
		}
		w.logged(outage, 1)
		w.logged(healed, 1)
		if now, _ := h.watches(); now {
			w.t.Error("it is watched although it is well")
		}
		l.asked()
		time.Sleep(time.Hour)
		if got := l.asked(); len(got) != 0 {
			w.t.Errorf("reads after %v in an idle hour", got)
		}
	})
}

// What could not be saved is saved when the store tells that it is back.
func TestUnsavedTold(t *testing.T) {
	loading(t, 2, func(w *world) {
		l, h := lockedUp(w), heralded(w)
		l.locked.Store(false)
		stop := w.run()
		defer stop()
		synctest.Wait()
		if now, _ := h.watches(); now {
			w.t.Error("it is watched although it is well")
		}
		l.locked.Store(true)
		w.add(replacing(request("c0", "s3cr3t-other")))
		time.Sleep(200 * time.Second)
		l.locked.Store(false)
		h.tell()
		if c := w.status("c0"); !c.Saved || c.Unsaved != "" {
			w.t.Errorf("%+v", c)
		}
		if now, _ := h.watches(); now {
			w.t.Error("it is watched although it is well")
		}
	})
}

// A store that says it is ready, and is not, is asked as often as any other.
func TestToldInVain(t *testing.T) {
	loading(t, 3, func(w *world) {
		l, h := lockedUp(w), heralded(w)
		h.look = func(context.Context) error { return nil }
		stop := w.run()
		defer stop()
		time.Sleep(10 * time.Minute)
		if got := len(l.asked()); got > 20 {
			w.t.Errorf("asked %d times in ten minutes", got)
		}
		l.locked.Store(false)
		time.Sleep(time.Minute)
		w.add(replacing(request("c0", "s3cr3t-other"))) // and with what cannot be removed
		l.locked.Store(true)
		w.add(replacing(request("c0", "s3cr3t-third")))
		time.Sleep(time.Second)
		_, before := h.watches()
		time.Sleep(10 * time.Minute)
		if _, began := h.watches(); began > before+3 {
			w.t.Errorf("watched %d times in ten minutes", began-before)
		}
		if got := len(l.asked()); got > 40 {
			w.t.Errorf("asked %d times", got)
		}
	})
}

// A person who asks for the status is told of a store that hangs although nobody
// wanted anything of it; who does not ask for it does not touch it.
func TestInspect(t *testing.T) {
	loading(t, 2, func(w *world) {
		h, since := heralded(w), time.Now()
		stop := w.run()
		defer stop()
		synctest.Wait()
		answers := make(chan struct{})
		h.look = func(ctx context.Context) error {
			select {
			case <-answers:
				return nil
			case <-ctx.Done():
				return &agent.Silence{Since: since}
			}
		}
		status := func(inspect bool, longest time.Duration) (s ipc.Status) {
			w.t.Helper()
			takes(w.t, "status", 0, longest, func() { s, _ = w.Status(w.t.Context(), ipc.StatusRequest{Inspect: inspect}) })
			return s
		}
		if s := status(false, 0); s.Store.Trouble != "" || s.Store.Silent != nil {
			w.t.Errorf("%+v", s.Store)
		}
		s := status(true, time.Second)
		if s.Store.Silent == nil || !s.Store.Silent.Equal(since) || !strings.Contains(s.Store.Trouble, "does not answer since ") {
			w.t.Errorf("%+v", s.Store)
		}
		if s.Credentials[0].State != ipc.StateValid {
			w.t.Errorf("%+v", s.Credentials[0])
		}
		takes(w.t, "a fetch", 0, 0, func() { w.serves("c1", "s3cr3t-1") })
		if s := status(true, 0); s.Store.Silent == nil { // it is known
			w.t.Errorf("%+v", s.Store)
		}
		close(answers)
		synctest.Wait()
		if s := status(false, 0); s.Store.Trouble != "" || s.Store.Silent != nil {
			w.t.Errorf("%+v", s.Store)
		}
		if now, _ := h.watches(); now {
			w.t.Error("it is watched although it is well")
		}
	})
}

// A store in which nothing rests is nobody's concern.
func TestInspectUnused(t *testing.T) {
	running(t, func(w *world) {
		h := heralded(w)
		h.look = func(context.Context) error { return agent.ErrAbsent }
		r := request("prod", "s3cr3t-1")
		r.Ephemeral = true
		w.add(r)
		if s, _ := w.Status(w.t.Context(), ipc.StatusRequest{Inspect: true}); s.Store.Trouble != "" {
			w.t.Errorf("%+v", s.Store)
		}
	})
}

// A store into which a first token did not go is well again when it takes back what
// may have been left in it.
func TestFirstRefusedTold(t *testing.T) {
	running(t, func(w *world) {
		l, h := lockedUp(w), heralded(w)
		_, err := w.Add(w.t.Context(), request("prod", "s3cr3t-1"))
		refused(w.t, err, ipc.CodeStore)
		synctest.Wait()
		trouble := func() string {
			r, err := w.Stores(w.t.Context(), ipc.StoresRequest{})
			if err != nil {
				w.t.Fatal(err)
			}
			return r.Stores[0].Trouble
		}
		if trouble() == "" {
			w.t.Error("it is locked")
		}
		l.locked.Store(false)
		if !h.tell() {
			w.t.Error("nobody watches")
		}
		if is := trouble(); is != "" {
			w.t.Error(is)
		}
		if now, _ := h.watches(); now {
			w.t.Error("it is watched although it is well")
		}
	})
}
