package agent_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// What is no token, or none that can be used, does not take over, and status says
// why.
func TestBadTokens(t *testing.T) {
	known := func(secret string, life time.Duration) func() agent.Minted {
		return func() agent.Minted {
			return agent.Minted{Secret: ipc.NewSecret(secret), Expiry: ipc.ExpiryKnown, Expires: time.Now().Add(life)}
		}
	}
	for name, tt := range map[string]struct {
		bad  func() agent.Minted
		want string
	}{
		"empty":            {known("", time.Hour), "tap: token: it is empty"},
		"nothing at all":   {func() agent.Minted { return agent.Minted{} }, "it is empty"},
		"a newline":        {known("s3cr3t-a\n", time.Hour), "line breaks"},
		"two tokens":       {known("s3cr3t-a s3cr3t-b", time.Hour), "line breaks, blanks"},
		"in quotes":        {known(`"s3cr3t-a"`, time.Hour), "in quotes"},
		"not ASCII":        {known("s3cr3t-ä", time.Hour), "control characters"},
		"200 KiB":          {known("s3cr3t-"+strings.Repeat("x", 200<<10), time.Hour), "longer than 128 KiB"},
		"has ended":        {known("s3cr3t-a", -time.Hour), "leaves no time to use it"},
		"ends in a second": {known("s3cr3t-a", time.Second), "leaves no time to use it"},
		"ends at no time": {func() agent.Minted {
			return agent.Minted{Secret: ipc.NewSecret("s3cr3t-a"), Expiry: ipc.ExpiryKnown}
		}, "leaves no time to use it"},
	} {
		t.Run(name, func(t *testing.T) {
			running(t, func(w *world) {
				s := &tap{next: func(_ context.Context, n int, usual agent.Minted) (agent.Minted, error) {
					if n > 1 {
						return tt.bad(), nil
					}
					return usual, nil
				}}
				w.feed(s)
				time.Sleep(50 * time.Minute)
				w.instantly("s3cr3t-prod-1")
				c := w.status("prod")
				if c.Renewal.Class != "other" || !strings.Contains(c.Renewal.Error, tt.want) || c.State != ipc.StateDue {
					w.t.Errorf("%s, %+v", c.State, c.Renewal)
				}
				noSecret(w.t, "status", c.Renewal.Error+c.Reason)
				if got := w.disk.holds(); len(got) != 1 {
					w.t.Errorf("the store holds %d", len(got))
				}
				time.Sleep(time.Hour)
				_, _, stderr := w.fetch("prod", home)
				if !strings.Contains(stderr, tt.want) {
					w.t.Error(stderr)
				}
				if n := len(s.times()); n > 100 {
					w.t.Errorf("asked %d times", n)
				}
			})
		})
	}
}

// A source that gives the same token again: it is good for longer if the source
// says so; else the source is asked a few times more until the token ends, and not
// for ever.
func TestSameAgain(t *testing.T) {
	month := 30 * 24 * time.Hour
	for name, tt := range map[string]struct {
		life, again time.Duration // 0: no end that is known
		fixed       bool          // at the end that was said first
		least, most int           // questions until shortly before the first end
		class       string        // then
	}{
		"it ends as it did":        {month, month, true, 10, 100, "transient"},
		"later and later":          {month, month, false, 2, 2, ""},
		"it does not end any more": {month, 0, false, 2, 2, ""},
		"no end":                   {0, 0, false, 1, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			running(t, func(w *world) {
				began := time.Now()
				s := &tap{next: func(_ context.Context, n int, m agent.Minted) (agent.Minted, error) {
					m.Secret = ipc.NewSecret("s3cr3t-same")
					from, life := time.Now(), tt.again
					if tt.fixed {
						from = began
					}
					if n == 1 {
						life = tt.life
					}
					m.Expires = from.Add(life)
					if life == 0 {
						m.Expiry, m.Expires = ipc.ExpiryUnknown, time.Time{}
					}
					return m, nil
				}}
				w.feed(s)
				time.Sleep(month - time.Hour)
				w.instantly("s3cr3t-same")
				c := w.status("prod")
				if n := len(s.times()); n < tt.least || n > tt.most || c.Renewal.Class != tt.class {
					w.t.Errorf("asked %d times; %+v", n, c.Renewal)
				}
				if got := w.disk.holds(); len(got) != 1 || len(c.Retiring) != 0 {
					w.t.Errorf("the store holds %q, %+v", got, c.Retiring)
				}
				time.Sleep(2 * time.Hour)
				if token, _, _ := w.fetch("prod", home); (token == "") != tt.fixed {
					w.t.Errorf("after the end that was said first: %q", token)
				}
				if n := len(w.restart().status("prod").Servers); n != 0 {
					w.t.Errorf("%d servers learnt", n)
				}
			})
		})
	}
}

// A token without an end is replaced when it is too old, and if there is no other,
// a person is told.
func TestSameForEver(t *testing.T) {
	running(t, func(w *world) {
		s := &tap{next: func(context.Context, int, agent.Minted) (agent.Minted, error) {
			return agent.Minted{Secret: ipc.NewSecret("s3cr3t-same"), Expiry: ipc.ExpiryNever}, nil
		}}
		w.feed(s)
		time.Sleep(90*24*time.Hour + time.Hour)
		if c := w.status("prod"); c.State != ipc.StateDue || c.Renewal.Class != "refused" {
			w.t.Errorf("%s, %+v", c.State, c.Renewal)
		}
		if n := len(s.times()); n > 25 {
			w.t.Errorf("asked %d times in an hour", n)
		}
		w.instantly("s3cr3t-same")
	})
}

// A token that lives for three seconds only is no reason to ask for one all the
// time; who asks gets one.
func TestBriefTokens(t *testing.T) {
	running(t, func(w *world) {
		s := &tap{life: 3 * time.Second}
		w.feed(s)
		time.Sleep(time.Minute)
		if n := len(s.times()); n > 13 {
			w.t.Errorf("asked %d times in a minute", n)
		}
		for range 100 {
			time.Sleep(100 * time.Millisecond)
			if token, end, stderr := w.fetch("prod", home); token == "" || !end.After(time.Now().Add(-time.Second)) {
				w.t.Fatalf("%q until %v, %s", token, end, stderr)
			}
		}
	})
}

// A token that is refused, and comes again while nobody can say whether it is
// alive, is no reason to ask for it all the time.
func TestRefusedComesAgain(t *testing.T) {
	running(t, func(w *world) {
		s := &tap{next: func(_ context.Context, _ int, m agent.Minted) (agent.Minted, error) {
			m.Secret = ipc.NewSecret("s3cr3t-same")
			return m, nil
		}}
		w.feed(s)
		w.oracle.says(agent.Verdict{Life: agent.Rejected, Why: "whoami says 401"})
		w.verify("prod")
		w.oracle.says(agent.Verdict{Life: agent.Unknown, Why: "no network"})
		synctest.Wait()
		before := len(s.times())
		time.Sleep(10 * time.Minute)
		if n := len(s.times()) - before; n > 130 {
			w.t.Errorf("asked %d times in ten minutes", n)
		}
		w.oracle.says(alive(me))
		time.Sleep(5 * time.Minute)
		w.instantly("s3cr3t-same")
	})
}
