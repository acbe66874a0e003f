package wall

import (
	"sync"
	"time"
)

const (
	// step is how long the clock is not looked at while something is set, and so
	// how late an alarm can be after a sleep.
	step = 15 * time.Second
	// idleStep is the same when nothing is set: a jump has to be told even then.
	idleStep = time.Minute
	// slack is how far the two clocks may part in a step before that is a jump. To
	// slew a clock parts them by 30 ms a minute at most (adjtime(2): 500 ppm).
	slack = time.Second
	// late is how much later than asked for a step may end: a monotonic clock that
	// counts sleep as well (Windows) does not part from the wall clock. On a busy
	// machine this rings for nothing, which is harmless.
	late = 10 * time.Second
)

// stepping is a clock for every system: it waits in short steps and compares the
// wall clock with the monotonic one.
type stepping struct {
	now  func() time.Time // the wall clock; waiting is Go's, always
	ring func()

	changed chan struct{} // capacity 1: at is another one
	closing chan struct{}
	done    chan struct{}

	mu sync.Mutex
	at time.Time // zero: never
}

func newStepping(now func() time.Time, ring func()) *stepping {
	s := &stepping{
		now: now, ring: ring,
		changed: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{}),
	}
	go s.run(s.read())
	return s
}

func (s *stepping) set(at time.Time) {
	s.mu.Lock()
	s.at = at
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

func (s *stepping) close() {
	close(s.closing)
	<-s.done
}

// A reading is what both clocks said at one moment.
type reading struct {
	wall      time.Time
	monotonic time.Time // only for Sub
}

func (s *stepping) read() reading { return reading{wall(s.now()), time.Now()} }

func (s *stepping) run(last reading) {
	defer close(s.done)
	wait := s.next(last.wall)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-s.closing:
			return
		case <-s.changed:
		case <-timer.C:
		}
		now := s.read()
		if s.due(now.wall) || jumped(last, now, wait) {
			s.ring()
		}
		last, wait = now, s.next(now.wall)
		timer.Reset(wait)
	}
}

// due reports whether the alarm has come, and takes it off then.
func (s *stepping) due(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at.IsZero() || s.at.After(now) {
		return false
	}
	s.at = time.Time{}
	return true
}

// next says for how long not to look.
func (s *stepping) next(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.at.IsZero() {
		return idleStep
	}
	return min(s.at.Sub(now), step)
}

// jumped reports whether between two readings, which should lie wait apart at
// most, the clock was set or the machine slept.
func jumped(last, now reading, wait time.Duration) bool {
	passed := now.monotonic.Sub(last.monotonic)
	parted := now.wall.Sub(last.wall) - passed
	return parted.Abs() > slack || passed > max(wait, 0)+late
}
