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

// line is a network that can be cut: a source, and a verifier that says nothing.
type line struct {
	tap
	w   *world
	cut atomic.Bool
}

func newLine(w *world) *line {
	l := &line{w: w}
	l.next = func(_ context.Context, _ int, usual agent.Minted) (agent.Minted, error) {
		if l.cut.Load() {
			return agent.Minted{}, &agent.SourceError{Class: agent.Transient, Why: "no network"}
		}
		return usual, nil
	}
	return l
}

func (l *line) set(cut bool) {
	l.cut.Store(cut)
	v := alive(me)
	if cut {
		v = agent.Verdict{Life: agent.Unknown, Why: "no network"}
	}
	l.w.oracle.says(v)
}

// Without a network for hours: what is valid is served, what has expired says so,
// and when it is back all is well within half a minute, or at the next request.
func TestOffline(t *testing.T) {
	for _, asked := range []bool{false, true} {
		t.Run("", func(t *testing.T) {
			running(t, func(w *world) {
				l := newLine(w)
				w.feed(l)
				r := request("attended", "s3cr3t-a")
				w.add(r)
				l.set(true)
				for range 58 {
					time.Sleep(time.Minute)
					w.instantly("s3cr3t-prod-1")
				}
				time.Sleep(5 * time.Hour)
				w.serves("attended", "s3cr3t-a")
				_, _, stderr := w.fetch("prod", home)
				if !strings.Contains(stderr, "the token expired at") || !strings.Contains(stderr, "tap: no network") {
					w.t.Error(stderr)
				}
				l.set(false)
				if asked {
					time.Sleep(time.Second)
				} else {
					time.Sleep(30 * time.Second)
					synctest.Wait()
					if c := w.status("prod"); c.State != ipc.StateValid {
						w.t.Errorf("half a minute later: %+v", c)
					}
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

// The machine sleeps past the end of its token: it is renewed when the machine
// wakes, and a request that is quicker than the alarm gets the new one, too.
func TestSleep(t *testing.T) {
	for _, rings := range []bool{false, true} {
		t.Run("", func(t *testing.T) {
			running(t, func(w *world) {
				s := &tap{next: func(_ context.Context, n int, usual agent.Minted) (agent.Minted, error) {
					usual.Expires = usual.Expires.Add(time.Duration(n-1) * 9 * time.Hour)
					return usual, nil
				}}
				w.feed(s)
				w.jumps(9 * time.Hour)
				if rings {
					w.bell.ring()
					synctest.Wait()
					if n := len(s.times()); n != 2 {
						w.t.Errorf("asked %d times", n)
					}
				}
				w.instantly("s3cr3t-prod-2")
				if n := len(s.times()); n != 2 {
					w.t.Errorf("asked %d times", n)
				}
			})
		})
	}
}

// The clock is set back by a day, with a token, with one that fails to be renewed,
// and with one that is refused: nothing waits for that day to pass.
func TestClockSetBack(t *testing.T) {
	back := func(w *world) {
		w.jumps(-24 * time.Hour)
		w.bell.ring()
		synctest.Wait()
	}
	t.Run("failing", func(t *testing.T) {
		running(t, func(w *world) {
			l := newLine(w)
			w.feed(l)
			l.set(true)
			time.Sleep(61 * time.Minute)
			back(w)
			w.instantly("s3cr3t-prod-1") // which has not ended, as far as can be known
			l.set(false)
			w.oracle.knows("s3cr3t-prod-1", rejected)
			w.verify("prod")
			if c := w.status("prod"); c.State != ipc.StateValid {
				w.t.Errorf("%+v, %+v", c, c.Renewal)
			}
		})
	})
	t.Run("refused", func(t *testing.T) {
		running(t, func(w *world) {
			w.add(request("prod", "s3cr3t-1"))
			w.oracle.says(rejected)
			w.verify("prod")
			w.oracle.says(alive(me))
			back(w)
			w.instantly("s3cr3t-1")
		})
	})
	t.Run("refused, with a source", func(t *testing.T) {
		running(t, func(w *world) {
			s := &tap{}
			w.feed(s)
			back(w)
			w.oracle.knows("s3cr3t-prod-1", rejected)
			w.verify("prod")
			w.instantly("s3cr3t-prod-2")
			w.oracle.knows("s3cr3t-prod-2", rejected)
			w.verify("prod")
			w.instantly("s3cr3t-prod-3")
		})
	})
}

// An agent that has nothing to do until tomorrow does nothing until tomorrow,
// whatever it has done before.
func TestIdleAfterWork(t *testing.T) {
	running(t, func(w *world) {
		s := &tap{life: 100 * 24 * time.Hour}
		w.feed(s)
		w.configure(map[string]agent.Source{"prod": s, "dev": s})
		brief := holding("s3cr3t-x", time.Minute)
		brief.Name = "brief"
		w.add(brief)
		w.oracle.says(rejected)
		w.verify("brief")
		w.oracle.says(alive(me))
		w.serves("prod", "s3cr3t-prod-1")
		time.Sleep(time.Hour)
		w.disk.took()
		w.oracle.questions()
		looks, wakes := w.looks.Load(), w.wakes.Load()
		time.Sleep(24 * time.Hour)
		if calls := w.disk.took(); len(calls) != 0 || w.looks.Load() != looks || w.wakes.Load() != wakes || len(w.oracle.questions()) != 0 {
			w.t.Errorf("in an idle day: store calls %v, %d looks at the clock, %d wake-ups", calls, w.looks.Load()-looks, w.wakes.Load()-wakes)
		}
	})
}
