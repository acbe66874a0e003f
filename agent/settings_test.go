package agent_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

const elsewhere = "https://b.example.com:443"

// What the config says applies at once, comes and goes, and takes no token away.
func TestConfigure(t *testing.T) {
	running(t, func(w *world) {
		w.add(request("mine", "s3cr3t-mine"))
		w.add(holding("s3cr3t-prod-0", time.Hour))
		settings := func(all map[string]agent.Setting) {
			w.t.Helper()
			if err := w.Configure(w.t.Context(), agent.Settings{Credentials: all}); err != nil {
				w.t.Fatal(err)
			}
			synctest.Wait()
		}
		refuses := func(name, server string) {
			w.t.Helper()
			if _, _, stderr := w.fetch(name, server); !strings.Contains(stderr, "not bound to") {
				w.t.Errorf("%s for %s: %s", name, server, stderr)
			}
		}
		s, other := &tap{}, &tap{}
		both := []ipc.Server{{URL: home}}
		settings(map[string]agent.Setting{
			"new": {Servers: both, Source: s}, "mine": {Servers: []ipc.Server{{URL: elsewhere}}}, "unborn": {Servers: both}, "prod": {Source: other},
		})
		w.serves("new", "s3cr3t-new-1")
		refuses("mine", home)
		if token, _, stderr := w.fetch("mine", elsewhere); token != "s3cr3t-mine" {
			w.t.Errorf("%q, %s", token, stderr)
		}
		if _, err := w.Status(w.t.Context(), ipc.StatusRequest{Name: "unborn"}); err == nil {
			w.t.Error("a name in the config alone is a credential")
		}
		w.serves("prod", "s3cr3t-prod-0") // it is young
		time.Sleep(41 * time.Minute)
		w.serves("prod", "s3cr3t-prod-1")

		settings(map[string]agent.Setting{"new": {Servers: both, Source: other}}) // another source, the rest is gone
		w.serves("new", "s3cr3t-new-2")
		w.serves("mine", "s3cr3t-mine")
		w.serves("prod", "s3cr3t-prod-1")
		if c := w.status("prod"); c.Source != "console" || c.Renewal != nil {
			w.t.Errorf("%+v", c)
		}
		settings(nil)
		w.serves("mine", "s3cr3t-mine")
		if token, _, stderr := w.fetch("new", home); token != "" || !strings.Contains(stderr, "not bound") {
			w.t.Errorf("%q, %s: its servers were in the config only", token, stderr)
		}
		if got := w.disk.holds(); len(got) != 5 { // with those that gave way
			w.t.Errorf("the store holds %q", got)
		}
		settings(map[string]agent.Setting{"new": {Servers: both}})
		if token, _, stderr := w.fetch("new", home); token == "" {
			w.t.Error(stderr)
		}
	})
}

// A credential that never had a token goes with its config; while its source is
// being asked, too.
func TestConfigureTakesBack(t *testing.T) {
	running(t, func(w *world) {
		s := &tap{next: func(_ context.Context, _ int, usual agent.Minted) (agent.Minted, error) {
			time.Sleep(time.Second)
			return usual, nil
		}}
		w.feed(s)
		answer := make(chan string)
		go func() { _, _, stderr := w.fetch("prod", home); answer <- stderr }()
		synctest.Wait()
		w.configure(nil)
		takes(w.t, "the request", 0, 1500*time.Millisecond, func() {
			if got := <-answer; got == "" {
				w.t.Error("it got a token")
			}
		})
		time.Sleep(time.Minute)
		if _, err := w.Status(w.t.Context(), ipc.StatusRequest{Name: "prod"}); err == nil || len(w.disk.holds()) != 0 {
			w.t.Errorf("it is there: %v; the store holds %q", err, w.disk.holds())
		}
	})
}

// fountain is a source that tells when it has something new.
type fountain struct {
	tap
	changed chan struct{}
	watched atomic.Int64
}

func (s *fountain) Watch(ctx context.Context, changed func()) {
	s.watched.Add(1)
	defer s.watched.Add(-1)
	for {
		select {
		case <-s.changed:
			changed()
		case <-ctx.Done():
			return
		}
	}
}

// A source that notices by itself that it has something new is asked at once. It
// is no failure that it had nothing.
func TestWatchedSource(t *testing.T) {
	running(t, func(w *world) {
		var secret atomic.Value
		var broken atomic.Bool
		secret.Store("s3cr3t-a")
		end := time.Now().Add(6 * time.Hour)
		s := &fountain{changed: make(chan struct{})}
		s.next = func(context.Context, int, agent.Minted) (agent.Minted, error) {
			if broken.Load() {
				return agent.Minted{}, &agent.SourceError{Class: agent.Broken, Why: "half a file"}
			}
			return agent.Minted{Secret: ipc.NewSecret(secret.Load().(string)), Expiry: ipc.ExpiryKnown, Expires: end}, nil
		}
		changes := func() { s.changed <- struct{}{}; synctest.Wait() }
		w.feed(s)
		w.instantly("s3cr3t-a")
		secret.Store("s3cr3t-b")
		w.instantly("s3cr3t-a")
		changes()
		w.instantly("s3cr3t-b")
		for range 20 {
			changes()
		}
		if c := w.status("prod"); c.Renewal.Error != "" || c.State != ipc.StateValid {
			w.t.Errorf("%s, %+v", c.State, c.Renewal)
		}
		broken.Store(true)
		changes()
		if c := w.status("prod"); c.Renewal.Error != "half a file" {
			w.t.Errorf("%+v", c.Renewal)
		}
		broken.Store(false)
		changes()
		time.Sleep(2 * time.Hour)
		if c := w.status("prod"); c.Renewal.Error != "" || c.State != ipc.StateValid {
			w.t.Errorf("%s, %+v", c.State, c.Renewal)
		}
		w.feed(&tap{})
		if n := s.watched.Load(); n != 0 {
			w.t.Errorf("%d watch a source that is gone", n)
		}
		w.feed(s)
		if n := s.watched.Load(); n != 1 {
			w.t.Errorf("%d watch it", n)
		}
	})
}

// Many files that change at once are not read at once.
func TestWatchedSources(t *testing.T) {
	running(t, func(w *world) {
		busy, sources := &gauge{}, map[string]agent.Source{}
		for _, name := range strings.Split("abcdefghijklmnopqrstuvwxyz", "") {
			s := &fountain{changed: make(chan struct{})}
			s.busy, s.next = busy, func(_ context.Context, _ int, usual agent.Minted) (agent.Minted, error) {
				time.Sleep(time.Second)
				return usual, nil
			}
			sources[name] = s
		}
		w.configure(sources)
		time.Sleep(time.Minute)
		for _, s := range sources {
			s.(*fountain).changed <- struct{}{}
		}
		synctest.Wait()
		busy.wants(w.t, 4, 4)
		time.Sleep(time.Minute)
		for name, s := range sources {
			if n := len(s.(*fountain).times()); n < 2 || n > 3 {
				w.t.Errorf("%s: asked %d times", name, n)
			}
		}
	})
}

// A standby token takes over in time, one that is refused is passed over, and when
// the last one serves, a person is told in time.
func TestStandbyTakesOver(t *testing.T) {
	running(t, func(w *world) {
		w.add(holding("s3cr3t-1", 8*time.Hour))
		for _, r := range []ipc.AddRequest{holding("s3cr3t-3", 30*time.Hour), holding("s3cr3t-2", 20*time.Hour), holding("s3cr3t-never", 12*time.Hour)} {
			r.Standby = true
			w.add(r)
		}
		w.oracle.knows("s3cr3t-never", agent.Verdict{Life: agent.Rejected, Why: "whoami says 401"})
		time.Sleep(7*time.Hour - time.Second)
		w.instantly("s3cr3t-1")
		time.Sleep(2 * time.Second)
		w.instantly("s3cr3t-2")
		if c := w.status("prod"); c.State != ipc.StateValid || len(c.Standby) != 2 || c.Source != "standby" || len(c.Retiring) != 1 {
			w.t.Errorf("%+v", c)
		}
		time.Sleep(12 * time.Hour)
		w.instantly("s3cr3t-3")
		time.Sleep(9 * time.Hour)
		if c := w.status("prod"); c.State != ipc.StateValid {
			w.t.Errorf("%s: %s", c.State, c.Reason)
		}
		time.Sleep(time.Hour)
		if c := w.status("prod"); c.State != ipc.StateDue || !strings.Contains(c.Reason, "the token expires at") {
			w.t.Errorf("%s: %s", c.State, c.Reason)
		}
		w.instantly("s3cr3t-3")
	})
}
