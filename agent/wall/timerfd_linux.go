package wall

import (
	"errors"
	"fmt"
	"math"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// never is when a timer is due that is not set. It has to stand somewhere: one
// that is disarmed does not tell that the clock was set. The kernel's times end
// in 2262.
var never = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

// newClock returns a clock that the kernel keeps, or one that steps: gVisor, for
// one, knows timerfd_create but not TFD_TIMER_CANCEL_ON_SET.
func newClock(ring func()) clock {
	t, err := openTimer()
	if err != nil {
		return newStepping(time.Now, ring)
	}
	return newKept(t, time.Now, ring)
}

// A timer is a timerfd. Tests have another one, because the clock of the machine
// that runs them must not be set.
type timer interface {
	// arm makes it due at that time. ECANCELED: it is armed, but the clock was
	// set since the last time that somebody was told.
	arm(at time.Time) error
	// wait returns nil when the time has come, ECANCELED when the clock was set
	// or the machine has slept, and anything else after Close.
	wait() error
	Close() error
}

// kept is a clock that the kernel keeps.
type kept struct {
	timer timer
	now   func() time.Time
	ring  func()
	done  chan struct{}

	mu sync.Mutex // held while the timer is armed: it has to agree with at
	at time.Time  // zero: never
}

func newKept(t timer, now func() time.Time, ring func()) *kept {
	k := &kept{timer: t, now: now, ring: ring, done: make(chan struct{})}
	go k.run()
	return k
}

func (k *kept) set(at time.Time) {
	k.mu.Lock()
	k.at = at
	told := k.armLocked()
	k.mu.Unlock()
	if told {
		k.ring()
	}
}

func (k *kept) close() {
	k.timer.Close() // wait returns
	<-k.done
}

func (k *kept) run() {
	defer close(k.done)
	for {
		err := k.timer.wait()
		if err != nil && !errors.Is(err, unix.ECANCELED) {
			return
		}
		k.again()
		k.ring() // after: what was set meanwhile and is past already is told by this one
	}
}

// again arms the timer after it has rung or was cancelled. Either way the next
// one has to be noticed too, and set may have been called since: at decides, not
// what the timer was armed for.
func (k *kept) again() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for {
		if !k.at.After(wall(k.now())) {
			k.at = time.Time{} // it has rung
		}
		if told := k.armLocked(); !told {
			return
		}
		// The clock was set after it was looked at.
	}
}

// armLocked reports whether the kernel said that the clock was set. Another error
// there is none, but for a timer that is closed.
func (k *kept) armLocked() (told bool) {
	at := k.at
	if at.IsZero() {
		at = never
	}
	return errors.Is(k.timer.arm(at), unix.ECANCELED)
}

// timerfd is the timer of the kernel. Reading waits in Go's poller, in no thread.
type timerfd struct{ *os.File }

// openTimer returns a timer that is armed for never.
func openTimer() (timerfd, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_REALTIME, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC)
	if err != nil {
		return timerfd{}, fmt.Errorf("make timer: %w", err)
	}
	t := timerfd{os.NewFile(uintptr(fd), "timerfd")}
	// Without the poller a read would return at once, for ever.
	if err := t.SetReadDeadline(time.Time{}); err != nil {
		t.Close()
		return timerfd{}, fmt.Errorf("wait for timer: %w", err)
	}
	if err := t.arm(never); err != nil && !errors.Is(err, unix.ECANCELED) {
		t.Close()
		return timerfd{}, fmt.Errorf("arm timer: %w", err)
	}
	return t, nil
}

func (t timerfd) arm(at time.Time) error {
	conn, err := t.SyscallConn() // not Fd: that would make the file a blocking one
	if err != nil {
		return err
	}
	spec := unix.ItimerSpec{Value: timespec(at)}
	var armed error
	if err := conn.Control(func(fd uintptr) {
		armed = unix.TimerfdSettime(int(fd), unix.TFD_TIMER_ABSTIME|unix.TFD_TIMER_CANCEL_ON_SET, &spec, nil)
	}); err != nil {
		return err // closed
	}
	return armed
}

func (t timerfd) wait() error {
	var expirations [8]byte
	_, err := t.Read(expirations[:])
	return err
}

// timespec never returns what the kernel refuses (before 1970) or takes for
// "disarm" (zero).
func timespec(at time.Time) unix.Timespec {
	if at.Unix() <= 0 {
		return unix.Timespec{Nsec: 1}
	}
	if at.After(never) {
		at = never
	}
	ts, err := unix.TimeToTimespec(at)
	if err != nil { // 32 bits
		ts.Sec, ts.Nsec = math.MaxInt32, 0
	}
	return ts
}
