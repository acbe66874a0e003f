package wall

import (
	"sync"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
)

var _ agent.Alarm = (*Alarm)(nil)

// soon is far enough away to be set in time, and for other settings to go before.
const soon = 100 * time.Millisecond

// both runs a test on the clock of this system and on the one of all the others,
// without a jump.
func both(t *testing.T, f func(t *testing.T, a *Alarm)) {
	t.Parallel()
	stepper := func() *Alarm {
		a := &Alarm{rings: make(chan struct{}, 1)}
		a.clock = newStepping(time.Now, a.ring)
		return a
	}
	for name, open := range map[string]func() *Alarm{"New": New, "stepping": stepper} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := open()
			defer a.Close()
			f(t, a)
		})
	}
}

// rings waits for the alarm and wants it not to come before at.
func rings(t *testing.T, a *Alarm, at time.Time) {
	t.Helper()
	select {
	case <-a.Rings():
		if now := time.Now(); wall(now).Before(wall(at)) {
			t.Errorf("rang %v too early", at.Sub(now))
		} else if late := now.Sub(at); late > 5*time.Second {
			t.Errorf("rang %v late", late)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("did not ring")
	}
}

func TestRingsAtTheTime(t *testing.T) {
	both(t, func(t *testing.T, a *Alarm) {
		for range 3 { // the second one needs a clock that is armed again
			at := time.Now().Add(soon)
			a.Set(at)
			rings(t, a, at)
		}
	})
}

func TestPastRingsAtOnce(t *testing.T) {
	both(t, func(t *testing.T, a *Alarm) {
		for _, past := range []time.Duration{0, time.Nanosecond, time.Hour, 80 * 365 * 24 * time.Hour} {
			now := time.Now()
			a.Set(now.Add(-past))
			rings(t, a, now)
		}
		now := time.Now()
		a.Set(time.Unix(0, 0))
		rings(t, a, now)
	})
}

func TestSetReplaces(t *testing.T) {
	both(t, func(t *testing.T, a *Alarm) {
		a.Set(time.Now().Add(time.Hour))
		at := time.Now().Add(soon)
		a.Set(at) // earlier
		rings(t, a, at)

		a.Set(time.Now().Add(soon))
		at = time.Now().Add(3 * soon)
		a.Set(at) // later
		rings(t, a, at)
	})
}

// What was set is forgotten when nothing is to ring. Another alarm, which is set
// to a later time, tells that the time has passed.
func TestNever(t *testing.T) {
	both(t, func(t *testing.T, a *Alarm) {
		for _, never := range []time.Time{{}, time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC)} {
			a.Set(time.Now().Add(soon))
			a.Set(never)
			after, at := New(), time.Now().Add(2*soon)
			after.Set(at)
			rings(t, after, at)
			after.Close()
			select {
			case <-a.Rings():
				t.Errorf("rang at what stood before %v", never)
			default:
			}
		}
	})
}

func TestManySets(t *testing.T) {
	both(t, func(t *testing.T, a *Alarm) {
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for j := range 500 {
					switch (i + j) % 3 {
					case 0:
						a.Set(time.Time{})
					case 1:
						a.Set(time.Now().Add(-time.Second))
					case 2:
						a.Set(time.Now().Add(time.Duration(j) * time.Microsecond))
					}
				}
			})
		}
		all.Wait()
		// Whatever happened, the last word counts.
		at := time.Now().Add(soon)
		a.Set(at)
		for deadline := time.After(10 * time.Second); wall(time.Now()).Before(wall(at)); {
			select {
			case <-a.Rings(): // of before
			case <-deadline:
				t.Fatal("did not ring")
			}
		}
	})
}

func TestRingsCoalesce(t *testing.T) {
	t.Parallel()
	a := &Alarm{rings: make(chan struct{}, 1)}
	for range 100 {
		a.ring() // does not block
	}
	if n := len(a.Rings()); n != 1 {
		t.Errorf("%d rings wait, want 1", n)
	}
}

// Close returns when the goroutine has ended (both bodies wait for it), again if
// it is called again, and nothing rings after it.
func TestClose(t *testing.T) {
	both(t, func(t *testing.T, a *Alarm) {
		a.Set(time.Now().Add(time.Hour))
		a.Close()
		a.Close()
		a.Set(time.Now().Add(-time.Hour))
		select {
		case <-a.Rings():
			t.Error("rang after it was closed")
		default:
		}
	})
}
