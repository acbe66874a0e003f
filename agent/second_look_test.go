package agent_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// What the config says about a name holds for a credential that comes later, too,
// and for one that was forgotten and comes again.
func TestSettingOfAdded(t *testing.T) {
	running(t, func(w *world) {
		s := &tap{}
		if err := w.Configure(w.t.Context(), agent.Settings{Credentials: map[string]agent.Setting{
			"late": {Servers: []ipc.Server{{URL: elsewhere}}},
			"prod": {Servers: []ipc.Server{{URL: elsewhere}}, Source: s},
		}}); err != nil {
			w.t.Fatal(err)
		}
		synctest.Wait()
		w.add(request("late", "s3cr3t-late"))
		if tok, _, e := w.fetch("late", home); tok != "" {
			w.t.Errorf("given out for %s, though the config binds it to %s only %s", home, elsewhere, e)
		}
		if tok, _, e := w.fetch("late", elsewhere); tok == "" {
			w.t.Errorf("not given out for what the config binds it to: %s", e)
		}
		refused(w.t, w.Forget(w.t.Context(), ipc.ForgetRequest{Name: "prod"}), ipc.CodeInvalid)
		w.configure(nil)
		if err := w.Forget(w.t.Context(), ipc.ForgetRequest{Name: "prod"}); err != nil {
			w.t.Fatal(err)
		}
		if err := w.Configure(w.t.Context(), agent.Settings{Credentials: map[string]agent.Setting{
			"prod": {Servers: []ipc.Server{{URL: elsewhere}}, Source: s},
		}}); err != nil {
			w.t.Fatal(err)
		}
		w.add(holding("s3cr3t-prod-x", time.Hour))
		if c := w.status("prod"); c.Source != "tap" || c.Servers[0].URL != elsewhere {
			w.t.Errorf("source %s servers %+v", c.Source, c.Servers)
		}
		time.Sleep(2 * time.Hour)
		if tok, _, e := w.fetch("prod", elsewhere); tok == "" {
			w.t.Error(e)
		}
	})
}

var evilOwner = ipc.Identity{OrgUID: "evil-org", UID: "evil"}

// A standby token that nobody was asked about is asked about when its turn comes:
// one of another owner has none.
func TestStandbyOfAnotherOwner(t *testing.T) {
	running(t, func(w *world) {
		w.oracle.says(alive(me))
		w.add(holding("s3cr3t-1", time.Hour))
		r := holding("s3cr3t-2", 30*24*time.Hour)
		r.Standby, r.NoVerify = true, true
		w.add(r)
		w.oracle.knows("s3cr3t-2", alive(evilOwner))
		time.Sleep(58 * time.Minute)
		tok, _, e := w.fetch("prod", home)
		c := w.status("prod")
		if tok != "s3cr3t-1" {
			w.t.Errorf("serves %q %s, identity %+v though owner was %+v", tok, e, c.Identity, me)
		}
	})
}

// With no network and nothing else left a source's token takes over unproved. As
// soon as somebody can say that it is another owner's, it is given out no more.
func TestStrangerOffline(t *testing.T) {
	running(t, func(w *world) {
		w.oracle.says(alive(me))
		w.feed(&tap{})
		w.instantly("s3cr3t-prod-1")
		w.oracle.says(agent.Verdict{Life: agent.Unknown, Why: "no network"})
		time.Sleep(61 * time.Minute)
		w.serves("prod", "s3cr3t-prod-2")
		w.oracle.says(alive(evilOwner))
		time.Sleep(6 * time.Minute)
		if tok, _, _ := w.fetch("prod", home); tok != "" {
			w.t.Errorf("serves %q, state %s", tok, w.status("prod").State)
		}
		w.oracle.says(alive(me))
		time.Sleep(6 * time.Minute)
		if tok, _, e := w.fetch("prod", home); tok == "" {
			w.t.Error(e)
		}
	})
}

// What a watcher tells while a token is being saved is not forgotten.
func TestNewsWhileSaving(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDisk()
		s := &fountain{changed: make(chan struct{})}
		s.next = func(_ context.Context, n int, m agent.Minted) (agent.Minted, error) {
			m.Expiry, m.Expires = ipc.ExpiryUnknown, time.Time{}
			return m, nil
		}
		once := false
		d.hook = func(_ context.Context, op string) error {
			if op == "put" && !once {
				once = true
				time.Sleep(time.Second) // a keyring
				s.changed <- struct{}{} // the file is replaced now
				time.Sleep(time.Second)
			}
			return nil
		}
		w := worldOn(t, d, &notebook{})
		w.now.Store(0)
		w.clock = func() time.Time { return time.Now().Add(time.Duration(w.now.Load())) }
		stop := w.run()
		defer stop()
		synctest.Wait()
		w.feed(s)
		time.Sleep(24 * time.Hour)
		if n := len(s.times()); n != 2 {
			t.Errorf("asked %d times in a day, though the watcher told of a change after the first", n)
		}
		w.serves("prod", "s3cr3t-prod-2")
	})
}

// A person who went back from a token of a watched source is not overruled by the
// same token after a restart.
func TestRollbackOutlivesRestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.now.Store(0)
		w.clock = func() time.Time { return time.Now().Add(time.Duration(w.now.Load())) }
		stop := w.run()
		synctest.Wait()
		w.add(holding("s3cr3t-good", 24*time.Hour))
		s := &fountain{changed: make(chan struct{})}
		end := time.Now().Add(24 * time.Hour)
		s.next = func(_ context.Context, n int, m agent.Minted) (agent.Minted, error) {
			m.Secret, m.Expires = ipc.NewSecret("s3cr3t-bad"), end
			return m, nil
		}
		w.feed(s)
		time.Sleep(time.Second)
		w.instantly("s3cr3t-bad")
		if _, err := w.Rotate(t.Context(), ipc.RotateRequest{Name: "prod", Rollback: true}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		w.instantly("s3cr3t-good")
		stop()
		w2 := w.restart()
		w2.now.Store(0)
		w2.clock = w.clock
		stop = w2.run()
		defer stop()
		synctest.Wait()
		s.next = func(_ context.Context, n int, m agent.Minted) (agent.Minted, error) {
			m.Secret, m.Expires = ipc.NewSecret("s3cr3t-bad"), end
			return m, nil
		}
		w2.feed(s)
		time.Sleep(time.Second)
		if tok, _, _ := w2.fetch("prod", home); tok != "s3cr3t-good" {
			t.Errorf("after a restart it serves %q: the rollback is undone", tok)
		}
	})
}

// A file that is refreshed at four fifths of its token's life, as kubelet does, is
// nothing that a person has to look after.
func TestRefreshedLate(t *testing.T) {
	running(t, func(w *world) {
		const life, every = time.Hour, 48 * time.Minute
		s := &tap{}
		began := time.Now()
		s.next = func(_ context.Context, _ int, m agent.Minted) (agent.Minted, error) {
			k := time.Since(began) / every
			m.Secret = ipc.NewSecret(fmt.Sprintf("s3cr3t-kubelet-%d", k))
			m.Created = began.Add(k * every)
			m.Expires = m.Created.Add(life)
			return m, nil
		}
		w.feed(s)
		for range 20 * 60 {
			time.Sleep(time.Minute)
			if c := w.status("prod"); c.State != ipc.StateValid {
				w.t.Fatalf("after %v: %s, %s", time.Since(began), c.State, c.Reason)
			}
		}
	})
}

// A request that can be served does not wait for a keyring that hangs over another
// credential's token.
func TestHungStoreHoldsNobody(t *testing.T) {
	running(t, func(w *world) {
		began := time.Now()
		var hung atomic.Bool
		w.disk.hook = func(ctx context.Context, _ string) error {
			if hung.Load() {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}
		late := &tap{next: func(_ context.Context, n int, m agent.Minted) (agent.Minted, error) {
			if n > 1 && time.Since(began) < 62*time.Minute {
				return m, &agent.SourceError{Class: agent.Transient, Why: "down"}
			}
			return m, nil
		}}
		w.configure(map[string]agent.Source{"c0": &tap{}, "c1": late})
		time.Sleep(61*time.Minute + 59*time.Second)
		hung.Store(true)
		go w.Rotate(w.t.Context(), ipc.RotateRequest{Name: "c0"})
		time.Sleep(1100 * time.Millisecond)
		for n := 0; ; n++ {
			start := time.Now()
			tok, _, e := w.fetch("c1", home)
			if tok == "" && n < 31 { // it may have been asked in vain just before
				time.Sleep(time.Second)
				continue
			}
			if tok == "" || time.Since(start) > 500*time.Millisecond {
				w.t.Errorf("%q after %v: %s", tok, time.Since(start), e)
			}
			break
		}
		time.Sleep(time.Minute)
	})
}
