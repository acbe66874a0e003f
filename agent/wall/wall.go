// Package wall is an alarm by the wall clock: it implements agent.Alarm.
//
// Go's timers count the time in which the machine runs. They stand still while a
// laptop sleeps, and know nothing of a clock that is set (golang/go#35012,
// #36141): a renewal that is due at nine comes at noon if the lid was closed for
// three hours. Tokens expire by the wall clock, so the agent waits by it.
//
// On Linux the kernel keeps the alarm (timerfd_create(2) with CLOCK_REALTIME and
// TFD_TIMER_CANCEL_ON_SET). It rings at the time, at once when the machine wakes
// up or the clock is set, and costs no wake-up in between.
//
// Elsewhere, and where a sandbox has no such timer, the clock is looked at in
// short steps: every 15 seconds while something is set, else once a minute. There
// a sleep or a clock that was set is noticed that much later.
//
// An alarm promises that it is never forgotten, not that a ring has a reason: who
// is rung looks at the clock and at everything that may be due.
package wall

import (
	"sync"
	"time"
)

// An Alarm rings by the wall clock. Its methods may be called from anywhere.
type Alarm struct {
	clock clock
	rings chan struct{}
	once  sync.Once
}

// A clock is what an alarm waits by. Both bodies call the function that they were
// made with when the alarm has to ring; it does not block.
type clock interface {
	set(at time.Time)
	close() // returns when the clock's goroutine has ended
}

// New returns an alarm that is not set. It has to be closed.
func New() *Alarm {
	a := &Alarm{rings: make(chan struct{}, 1)}
	a.clock = newClock(a.ring)
	return a
}

// Set makes the alarm ring once the wall clock has come to at, in place of what
// was set before: at once if that is past, never if it is zero.
func (a *Alarm) Set(at time.Time) { a.clock.set(wall(at)) }

// Rings receives whenever the time has come, and whenever the clock was set or
// the machine has slept. Rings that nobody waited for are one.
func (a *Alarm) Rings() <-chan struct{} { return a.rings }

// Close ends the alarm. Rings receives nothing any more, except for what was
// there already; Set does nothing.
func (a *Alarm) Close() { a.once.Do(a.clock.close) }

func (a *Alarm) ring() {
	select {
	case a.rings <- struct{}{}:
	default:
	}
}

// wall takes the monotonic reading off t. With it two times would be compared by
// the clock that stands still.
func wall(t time.Time) time.Time { return t.Round(0) }
