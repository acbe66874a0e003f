package agent

import "time"

// An Alarm wakes the agent by the wall clock. Its body is agent/wall. Only one
// goroutine uses it.
type Alarm interface {
	// Set makes it ring once the wall clock has come to at, in place of what was
	// set before; the zero time means never.
	Set(at time.Time)

	// Rings receives whenever the time has come, and also whenever the clock was
	// set or the machine has slept: then everything has to be looked at again.
	Rings() <-chan struct{}
}
