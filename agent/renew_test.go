package agent_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// running runs f under synctest with an agent that runs, and that has no credential
// yet. Its clock is that of synctest, plus now.
func running(t *testing.T, f func(w *world)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.now.Store(0)
		w.clock = func() time.Time { return time.Now().Add(time.Duration(w.now.Load())) }
		stop := w.run()
		defer stop()
		synctest.Wait()
		f(w)
	})
}

// jumps moves the clock; nobody is told.
func (w *world) jumps(by time.Duration) { w.now.Add(int64(by)) }

// configure gives each of those credentials that source, and home as its server.
func (w *world) configure(sources map[string]agent.Source) {
	w.t.Helper()
	all := agent.Settings{Credentials: map[string]agent.Setting{}}
	for name, s := range sources {
		all.Credentials[name] = agent.Setting{Servers: []ipc.Server{{URL: home}}, Source: s}
	}
	if err := w.Configure(w.t.Context(), all); err != nil {
		w.t.Fatal(err)
	}
	synctest.Wait()
}

// feed gives prod that source.
func (w *world) feed(s agent.Source) { w.t.Helper(); w.configure(map[string]agent.Source{"prod": s}) }

// holding is a token that lives that long, of prod.
func holding(secret string, life time.Duration) ipc.AddRequest {
	r, end := request("prod", secret), time.Now().Add(life)
	r.Expiry, r.Expires = ipc.ExpiryKnown, &end
	return r
}

// instantly wants prod to serve that token without any wait.
func (w *world) instantly(want string) {
	w.t.Helper()
	takes(w.t, "a fetch", 0, 0, func() { w.t.Helper(); w.serves("prod", want) })
}

// A source is asked in time, once for each token; what gave way leaves the store
// when it has ended; and nobody ever waits.
func TestRenews(t *testing.T) {
	running(t, func(w *world) {
		s := &tap{}
		w.feed(s)
		w.instantly("s3cr3t-prod-1")
		for range 24 * 60 {
			time.Sleep(time.Minute)
			takes(w.t, "a fetch", 0, 0, func() {
				if token, end, stderr := w.fetch("prod", home); token == "" || !end.After(time.Now()) {
					w.t.Errorf("%q until %v, %s", token, end, stderr)
				}
			})
		}
		asked := s.times()
		for i := range len(asked) - 1 {
			if pause := asked[i+1].Sub(asked[i]); pause < 34*time.Minute || pause > 40*time.Minute {
				w.t.Errorf("asked again after %v", pause)
			}
		}
		if len(asked) < 36 || len(w.disk.holds()) > 3 || w.status("prod").State != ipc.StateValid {
			w.t.Errorf("asked %d times; the store holds %q; %+v", len(asked), w.disk.holds(), w.status("prod"))
		}
		looks := w.looks.Load()
		time.Sleep(20 * time.Minute)
		if more := w.looks.Load() - looks; more > 60 {
			w.t.Errorf("%d looks at the clock in twenty minutes", more)
		}
	})
}

// A source that fails is asked again and again; what there is, is served until its
// end, status says what is wrong, and all heals.
func TestSourceFails(t *testing.T) {
	for _, tt := range []struct {
		err   error
		class string
		most  time.Duration
	}{
		{&agent.SourceError{Class: agent.Transient, Why: "no network"}, "transient", 30 * time.Second},
		{&agent.SourceError{Class: agent.Denied, Why: "not signed in", Hint: "op signin"}, "refused", 6 * time.Minute},
		{&agent.SourceError{Class: agent.Broken, Why: "no such program"}, "other", 72 * time.Second},
		{&agent.SourceError{Class: "new", Why: "unheard of"}, "new", 72 * time.Second},
		{errors.New("a plain error"), "transient", 30 * time.Second},
	} {
		t.Run(tt.err.Error(), func(t *testing.T) {
			running(t, func(w *world) {
				var broken atomic.Bool
				s := &tap{next: func(_ context.Context, _ int, usual agent.Minted) (agent.Minted, error) {
					if broken.Load() {
						return agent.Minted{}, tt.err
					}
					return usual, nil
				}}
				w.feed(s)
				broken.Store(true)
				time.Sleep(41 * time.Minute)
				if c := w.status("prod"); c.State != ipc.StateValid || c.Renewal.Class != tt.class || c.Renewal.Error != tt.err.Error() || c.Renewal.Since == nil {
					w.t.Errorf("%+v, %+v", c, c.Renewal)
				}
				time.Sleep(18 * time.Minute)
				w.instantly("s3cr3t-prod-1")
				if c := w.status("prod"); c.State != ipc.StateDue || !strings.Contains(c.Reason, tt.err.Error()) {
					w.t.Errorf("%s: %s", c.State, c.Reason)
				}
				time.Sleep(3 * time.Minute)
				_, _, stderr := w.fetch("prod", home)
				if !strings.Contains(stderr, "expired") || !strings.Contains(stderr, "tap: "+tt.err.Error()) {
					w.t.Error(stderr)
				}
				time.Sleep(time.Hour)
				asked := s.times()
				for i := 1; i < len(asked)-1; i++ { // but for those that the fetch made
					if pause := asked[i+1].Sub(asked[i]); pause < 5*time.Second && i < 4 || pause > tt.most {
						w.t.Errorf("asked again after %v", pause)
					}
				}
				w.logged("no next token", 1)
				broken.Store(false)
				time.Sleep(tt.most)
				if c := w.status("prod"); c.State != ipc.StateValid || c.Renewal.Error != "" {
					w.t.Errorf("not healed: %+v", c)
				}
				takes(w.t, "a fetch", 0, 0, func() {
					if token, _, stderr := w.fetch("prod", home); token == "" {
						w.t.Error(stderr)
					}
				})
			})
		})
	}
}

// A source that hangs keeps nobody waiting, and is given up in the end.
func TestSourceHangs(t *testing.T) {
	running(t, func(w *world) {
		s := &tap{next: func(ctx context.Context, n int, usual agent.Minted) (agent.Minted, error) {
			if n == 2 {
				<-ctx.Done()
				return agent.Minted{}, ctx.Err()
			}
			return usual, nil
		}}
		w.feed(s)
		for len(s.times()) < 2 {
			time.Sleep(time.Second)
		}
		for range 80 {
			w.instantly("s3cr3t-prod-1")
			time.Sleep(time.Second)
		}
		time.Sleep(20 * time.Second)
		if len(s.times()) != 3 {
			w.t.Errorf("asked %d times", len(s.times()))
		}
		w.instantly("s3cr3t-prod-3")
	})
}

// A token about which nobody could say anything waits, while there is another to
// give out. Its source is not asked for one more meanwhile.
func TestUnproved(t *testing.T) {
	running(t, func(w *world) {
		s := &tap{}
		w.feed(s)
		w.oracle.says(agent.Verdict{Life: agent.Unknown, Why: "a proxy's page"})
		time.Sleep(50 * time.Minute)
		w.instantly("s3cr3t-prod-1")
		if c := w.status("prod"); !strings.Contains(c.Renewal.Error, "a proxy's page") {
			w.t.Errorf("%+v", c.Renewal)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		w.instantly("s3cr3t-prod-2") // the first has ended
		if n := len(s.times()); n != 2 {
			w.t.Errorf("asked %d times", n)
		}
		time.Sleep(31 * time.Minute)
		w.instantly("s3cr3t-prod-2")
		w.oracle.says(alive(me))
		time.Sleep(30 * time.Second)
		w.instantly("s3cr3t-prod-3")
	})
}

// The next token must be alive, and the same person's.
func TestNextIsRefused(t *testing.T) {
	for name, verdict := range map[string]agent.Verdict{
		"the next token is refused: whoami says 401": {Life: agent.Rejected, Why: "whoami says 401"},
		`the next token belongs to uid "user-2"`:     alive(other),
	} {
		t.Run(name, func(t *testing.T) {
			running(t, func(w *world) {
				w.oracle.says(alive(me))
				s := &tap{}
				w.feed(s)
				w.oracle.says(verdict)
				time.Sleep(50 * time.Minute)
				w.instantly("s3cr3t-prod-1")
				if c := w.status("prod"); c.Renewal.Class != "refused" || !strings.Contains(c.Renewal.Error, name) || c.Identity != me {
					w.t.Errorf("%+v, %+v", c, c.Renewal)
				}
				w.oracle.says(alive(me))
				time.Sleep(6 * time.Minute)
				if token, _, stderr := w.fetch("prod", home); token == "" || token == "s3cr3t-prod-1" || w.status("prod").Identity != me {
					w.t.Errorf("%q, %s", token, stderr)
				}
			})
		})
	}
}
