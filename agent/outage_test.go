package agent_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// A lock is a store's; it notes when the store is asked, since it was made.
type lock struct {
	locked atomic.Bool

	mu    sync.Mutex
	began time.Time
	reads []time.Duration
}

// asked returns when it was asked, as times since it was asked about last.
func (l *lock) asked() []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	reads := l.reads
	l.began, l.reads = time.Now(), nil
	return reads
}

func lockedUp(w *world) *lock {
	l := &lock{began: time.Now()}
	l.locked.Store(true)
	w.disk.hook = func(_ context.Context, op string) error {
		l.mu.Lock()
		if op == "get" {
			l.reads = append(l.reads, time.Since(l.began))
		}
		l.mu.Unlock()
		if l.locked.Load() {
			return fmt.Errorf("%w: collection %q", agent.ErrLocked, "login")
		}
		return nil
	}
	return l
}

func seconds(all ...int) (d []time.Duration) {
	for _, s := range all {
		d = append(d, time.Duration(s)*time.Second)
	}
	return d
}

// A store that is locked is asked less and less often, and heals by itself.
func TestLockedBackoff(t *testing.T) {
	loading(t, 3, func(w *world) {
		l := lockedUp(w)
		stop := w.run()
		defer stop()
		time.Sleep(230 * time.Second)
		if got, want := l.asked(), seconds(0, 1, 3, 8, 18, 48, 108, 168, 228); !slices.Equal(got, want) {
			w.t.Errorf("asked after %v, want %v", got, want)
		}
		l.locked.Store(false)
		time.Sleep(time.Minute)
		if left := w.unread(); len(left) != 0 {
			w.t.Errorf("not read: %v", left)
		}
		w.logged(outage, 1)
		w.logged(healed, 1)
		if got := l.asked(); len(got) != 3 {
			w.t.Errorf("reads after %v", got)
		}
		time.Sleep(time.Hour)
		if got := l.asked(); len(got) != 0 {
			w.t.Errorf("reads after %v in an idle hour", got)
		}
	})
}

// It says what is wrong, at once and in all places, and a request that comes
// after the person has unlocked it heals all.
func TestLockedAsked(t *testing.T) {
	loading(t, 3, func(w *world) {
		l := lockedUp(w)
		stop := w.run()
		defer stop()
		time.Sleep(200 * time.Second)
		l.asked()
		for range 30 { // kubectl asks five times; here are six of them in three seconds
			takes(w.t, "a fetch", 0, 0, func() {
				if _, _, stderr := w.fetch("c1", home); stderr != "cwagent: credential \"c1\": the disk is locked\nhint: cwagent unlock; cwagent status shows the store\n" {
					w.t.Error(stderr)
				}
			})
			time.Sleep(100 * time.Millisecond)
		}
		if got, want := l.asked(), seconds(0, 1, 2); !slices.Equal(got, want) {
			w.t.Errorf("asked after %v, want %v", got, want)
		}
		s, _ := w.Status(w.t.Context(), ipc.StatusRequest{})
		if !strings.HasPrefix(s.Store.Trouble, "since ") || !strings.HasSuffix(s.Store.Trouble, `locked: collection "login"`) || s.Credentials[0].State != ipc.StateLocked {
			w.t.Errorf("%+v", s)
		}
		_, err := w.Token(w.t.Context(), ipc.TokenRequest{Name: "c2"})
		refused(w.t, err, ipc.CodeLocked)
		_, err = w.Verify(w.t.Context(), ipc.VerifyRequest{Name: "c2"})
		refused(w.t, err, ipc.CodeLocked)

		l.locked.Store(false)
		time.Sleep(time.Second)
		takes(w.t, "a fetch", 0, 0, func() { w.serves("c1", "s3cr3t-1") })
		synctest.Wait()
		if left := w.unread(); len(left) != 0 {
			w.t.Errorf("not read: %v", left)
		}
		if s, _ := w.Status(w.t.Context(), ipc.StatusRequest{}); s.Store.Trouble != "" {
			w.t.Error(s.Store.Trouble)
		}
		w.logged(outage, 1)
		w.logged(healed, 1)
	})
}

// What a locked store holds cannot be compared: that is said, and nothing done. A
// token that replaces it whatever it is, is served at once and saved later, and
// the one before is kept.
func TestLockedAdd(t *testing.T) {
	loading(t, 2, func(w *world) {
		l := lockedUp(w)
		stop := w.run()
		defer stop()
		for _, r := range []ipc.AddRequest{request("c0", "s3cr3t-0"), request("c0", "s3cr3t-other")} {
			for _, r.DryRun = range []bool{true, false} {
				_, err := w.Add(w.t.Context(), r)
				refused(w.t, err, ipc.CodeLocked)
			}
		}
		c := w.add(replacing(request("c0", "s3cr3t-other"))).Credential
		if c.Saved || c.State != ipc.StateValid || !strings.HasPrefix(c.Unsaved, "since ") || !strings.Contains(c.Unsaved, "locked") {
			w.t.Errorf("%+v", c)
		}
		w.serves("c0", "s3cr3t-other")
		w.holdsOnly("s3cr3t-0", "s3cr3t-1")
		if _, err := w.Servers(w.t.Context(), ipc.ServersRequest{Name: "c0", Add: []ipc.Server{{URL: "https://b.example.com"}}}); err != nil {
			w.t.Error(err)
		}
		l.locked.Store(false)
		time.Sleep(time.Minute)
		w.serves("c0", "s3cr3t-other")
		w.holdsOnly("s3cr3t-0", "s3cr3t-1", "s3cr3t-other")
		if c := w.status("c0"); len(c.Servers) != 2 || !c.Saved || c.Unsaved != "" || len(c.Retiring) != 1 {
			w.t.Errorf("%+v", c)
		}
		w.logged("not saved", 1)
		w.logged("saved at last", 1)
	})
}

// When all that a store keeps back has been forgotten, nothing is wrong.
func TestLockedForgotten(t *testing.T) {
	loading(t, 2, func(w *world) {
		l := lockedUp(w)
		stop := w.run()
		defer stop()
		synctest.Wait()
		w.logged(outage, 1)
		for i := range 2 {
			if err := w.Forget(w.t.Context(), ipc.ForgetRequest{Name: fmt.Sprintf("c%d", i)}); err != nil {
				w.t.Fatal(err)
			}
		}
		time.Sleep(time.Minute)
		if s, _ := w.Status(w.t.Context(), ipc.StatusRequest{}); s.Store.Trouble != "" {
			w.t.Error(s.Store.Trouble)
		}
		if got := w.ledger.book(w.t).Orphans; len(got) != 2 {
			w.t.Errorf("orphans %q", got)
		}
		l.locked.Store(false)
		w.add(request("next", "s3cr3t-n")) // and sweeps
		if got := w.ledger.book(w.t).Orphans; len(got) != 0 || len(w.disk.holds()) != 1 {
			w.t.Errorf("orphans %q, the store holds %q", got, w.disk.holds())
		}
	})
}

// A store that does not answer costs those nothing who need nothing of it, and
// the others a second and a half.
func TestHung(t *testing.T) {
	loading(t, 3, func(w *world) {
		r := request("brief", "s3cr3t-b")
		r.Ephemeral = true
		w.add(r)
		var hung atomic.Bool
		hung.Store(true)
		var calls atomic.Int64
		w.disk.item = func(ctx context.Context, _ string) error {
			calls.Add(1)
			if hung.Load() {
				<-ctx.Done()
			}
			return ctx.Err()
		}
		stop := w.run()
		defer stop()
		takes(w.t, "the first fetch", 1500*time.Millisecond, 1500*time.Millisecond, func() {
			if _, _, stderr := w.fetch("c0", home); !strings.Contains(stderr, "its token is being read from the disk\nhint: try again") {
				w.t.Error(stderr)
			}
		})
		for i := range 200 {
			takes(w.t, "a fetch", 0, 1500*time.Millisecond, func() {
				_, _, stderr := w.fetch(fmt.Sprintf("c%d", i%3), home)
				if i > 1 && !strings.Contains(stderr, "the disk gives nothing since ") {
					w.t.Error(stderr)
				}
			})
			takes(w.t, "a fetch from memory", 0, 0, func() { w.serves("brief", "s3cr3t-b") })
			time.Sleep(50 * time.Millisecond)
		}
		w.logged(outage, 1)
		hung.Store(false)
		time.Sleep(time.Minute)
		for i := range 3 {
			w.serves(fmt.Sprintf("c%d", i), fmt.Sprintf("s3cr3t-%d", i))
		}
		w.logged(healed, 1)
		w.t.Logf("a store that hung was asked %d times", calls.Load())
	})
}

// While the config names another store than the one where the tokens rest, that
// one is neither asked nor believed.
func TestElsewhere(t *testing.T) {
	loading(t, 2, func(w *world) {
		w.disk.kind = "drawer"
		w = w.restart()
		w.disk.took()
		stop := w.run()
		time.Sleep(time.Minute)
		_, _, stderr := w.fetch("c0", home)
		if !strings.Contains(stderr, "the drawer gives nothing since ") || !strings.Contains(stderr, "the tokens rest in the disk") {
			w.t.Error(stderr)
		}
		_, err := w.Add(w.t.Context(), request("new", "s3cr3t-new"))
		if e := refused(w.t, err, ipc.CodeStore); e.What != "store drawer: the tokens so far rest in the disk" || !strings.Contains(e.Hint, "store: disk") {
			w.t.Error(e.Text())
		}
		if err := w.Forget(w.t.Context(), ipc.ForgetRequest{Name: "c1"}); err != nil {
			w.t.Error(err)
		}
		stop()
		if calls := w.disk.took(); len(calls) != 0 || len(w.disk.holds()) != 2 {
			w.t.Errorf("calls %v; it holds %q", calls, w.disk.holds())
		}

		w.disk.kind = ""
		w = w.restart()
		stop = w.run()
		defer stop()
		synctest.Wait()
		w.serves("c0", "s3cr3t-0")
		if got := w.disk.holds(); !slices.Equal(got, []string{"s3cr3t-0"}) {
			w.t.Errorf("the store holds %q", got)
		}
	})
}
