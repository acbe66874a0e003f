package wall

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A walled clock is ahead of the bubble's one by what a test says: the bubble's
// is the monotonic one.
type walled struct {
	ahead  atomic.Int64
	looked atomic.Int64
}

func (w *walled) now() time.Time {
	w.looked.Add(1)
	return time.Now().Add(time.Duration(w.ahead.Load()))
}

func (w *walled) jump(d time.Duration) { w.ahead.Add(int64(d)) }

// stepped runs f with an alarm that steps, in a bubble.
func stepped(t *testing.T, f func(t *testing.T, w *walled, a *Alarm)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := new(walled)
		a := &Alarm{rings: make(chan struct{}, 1)}
		a.clock = newStepping(w.now, a.ring)
		defer a.Close()
		f(t, w, a)
	})
}

// rang reports how long it took to ring, or whether it did not within limit.
func rang(a *Alarm, limit time.Duration) (time.Duration, bool) {
	start := time.Now()
	select {
	case <-a.Rings():
		return time.Since(start), true
	case <-time.After(limit):
		return 0, false
	}
}

func TestSteppingIsExact(t *testing.T) {
	stepped(t, func(t *testing.T, w *walled, a *Alarm) {
		for _, ahead := range []time.Duration{time.Millisecond, step, step + 1, 10 * time.Hour} {
			a.Set(w.now().Add(ahead))
			if took, ok := rang(a, 20*time.Hour); !ok || took != ahead {
				t.Errorf("set %v ahead, rang %t after %v", ahead, ok, took)
			}
		}
		if _, ok := rang(a, 20*time.Hour); ok {
			t.Error("rang without being set")
		}
	})
}

func TestSteppingNoticesJumps(t *testing.T) {
	for name, jump := range map[string]time.Duration{
		"forward over it": 2 * time.Hour, "forward, not so far": time.Minute, "backward": -2 * time.Hour, "a little": 2 * time.Second,
	} {
		t.Run(name, func(t *testing.T) {
			stepped(t, func(t *testing.T, w *walled, a *Alarm) {
				for range 2 {
					a.Set(w.now().Add(time.Hour))
					synctest.Wait()
					w.jump(jump)
					if took, ok := rang(a, time.Hour); !ok || took > step {
						t.Errorf("rang %t after %v", ok, took)
					}
				}
			})
		})
		t.Run(name+", nothing set", func(t *testing.T) {
			stepped(t, func(t *testing.T, w *walled, a *Alarm) {
				for range 2 {
					synctest.Wait()
					w.jump(jump)
					if took, ok := rang(a, time.Hour); !ok || took > idleStep {
						t.Errorf("rang %t after %v", ok, took)
					}
				}
			})
		})
	}
}

// After the clock was set back the alarm still rings at its time by the wall.
func TestSteppingKeepsToTheWall(t *testing.T) {
	stepped(t, func(t *testing.T, w *walled, a *Alarm) {
		a.Set(w.now().Add(time.Hour))
		synctest.Wait()
		w.jump(-30 * time.Minute)
		first, _ := rang(a, 2*time.Hour) // that it was set
		second, ok := rang(a, 2*time.Hour)
		if !ok || first+second != 90*time.Minute {
			t.Errorf("rang %t after %v and %v, want 1h30m in all", ok, first, second)
		}
	})
}

// A clock that is slewed, as fast as that goes, has not jumped.
func TestSteppingBearsSlew(t *testing.T) {
	stepped(t, func(t *testing.T, w *walled, a *Alarm) {
		a.Set(w.now().Add(2 * time.Hour))
		for range 3600 {
			w.jump(500 * time.Microsecond)
			if _, ok := rang(a, time.Second); ok {
				t.Fatal("rang")
			}
		}
	})
}

// The steps are the price: nothing set costs one look a minute.
func TestSteppingCosts(t *testing.T) {
	stepped(t, func(t *testing.T, w *walled, a *Alarm) {
		rang(a, time.Hour)
		if n := w.looked.Load(); n > 61 {
			t.Errorf("looked %d times in an idle hour", n)
		}
	})
}

// Where the monotonic clock counts sleep, nothing parts; the step was too long.
func TestJumped(t *testing.T) {
	t.Parallel()
	start := time.Now()
	at := func(monotonic, wall time.Duration) reading {
		return reading{wall: start.Add(wall), monotonic: start.Add(monotonic)}
	}
	for _, tt := range []struct {
		name string
		now  reading
		want bool
	}{
		{"on time", at(step, step), false},
		{"a busy machine", at(step+late, step+late), false},
		{"slept, both clocks count it", at(time.Hour, time.Hour), true},
		{"slept, the wall counts it", at(step, time.Hour), true},
		{"slewed", at(step, step+slack), false},
		{"set forward", at(step, step+slack+1), true},
		{"set back", at(step, step-slack-1), true},
		{"set back to before", at(step, -time.Hour), true},
	} {
		if got := jumped(at(0, 0), tt.now, step); got != tt.want {
			t.Errorf("%s: %t, want %t", tt.name, got, tt.want)
		}
	}
}
