package wall

import (
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A fake is a timer whose clock can be set.
type fake struct {
	rung   chan error // what wait returns; closed by Close
	armed  chan time.Time
	before func() // what happens just before it is armed, once

	mu   sync.Mutex
	told bool // arm answers ECANCELED, once
	now  time.Time
}

func newFake() *fake {
	return &fake{rung: make(chan error), armed: make(chan time.Time, 10), now: time.Unix(1e9, 0)}
}

func (f *fake) arm(at time.Time) error {
	if do := f.before; do != nil {
		f.before = nil
		do()
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed <- at
	if f.told {
		f.told = false
		return unix.ECANCELED
	}
	return nil
}

func (f *fake) wait() error {
	if err, open := <-f.rung; open {
		return err
	}
	return os.ErrClosed
}

func (f *fake) Close() error { close(f.rung); return nil }

func (f *fake) clock() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *fake) pass(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}

// faked returns an alarm over a fake.
func faked(t *testing.T) (*fake, *Alarm) {
	t.Parallel()
	f := newFake()
	a := &Alarm{rings: make(chan struct{}, 1)}
	a.clock = newKept(f, f.clock, a.ring)
	t.Cleanup(a.Close)
	return f, a
}

// armed wants the timer to be armed for that time next.
func (f *fake) wantArmed(t *testing.T, want time.Time) {
	t.Helper()
	select {
	case got := <-f.armed:
		if !got.Equal(want) {
			t.Errorf("armed for %v, want %v", got, want)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("not armed, want %v", want)
	}
}

func wantRing(t *testing.T, a *Alarm) {
	t.Helper()
	select {
	case <-a.Rings():
	case <-time.After(10 * time.Second):
		t.Fatal("did not ring")
	}
}

// A cancelled timer rings, and is armed again for the same time: a second change
// of the clock has to be noticed, and the alarm is still to come.
func TestCancelled(t *testing.T) {
	f, a := faked(t)
	at := f.clock().Add(time.Hour)
	a.Set(at)
	f.wantArmed(t, at)
	for range 3 {
		f.pass(-time.Minute)
		f.rung <- unix.ECANCELED
		wantRing(t, a)
		f.wantArmed(t, at)
	}
	f.pass(2 * time.Hour)
	f.rung <- unix.ECANCELED // over it
	wantRing(t, a)
	f.wantArmed(t, never)
}

func TestCancelledWhenNothingIsSet(t *testing.T) {
	f, a := faked(t)
	a.Set(time.Time{})
	f.wantArmed(t, never)
	for range 2 {
		f.rung <- unix.ECANCELED
		wantRing(t, a)
		f.wantArmed(t, never)
	}
}

// After it has rung the timer waits for changes of the clock.
func TestArmedAfterRinging(t *testing.T) {
	f, a := faked(t)
	at := f.clock().Add(time.Hour)
	a.Set(at)
	f.wantArmed(t, at)
	f.pass(time.Hour)
	f.rung <- nil
	wantRing(t, a)
	f.wantArmed(t, never)
	f.pass(-time.Hour) // what has rung does not come back
	f.rung <- unix.ECANCELED
	wantRing(t, a)
	f.wantArmed(t, never)
}

// The reader has been woken for the old time when a new one is set: the new one
// must not be lost.
func TestSetWhileItRings(t *testing.T) {
	f, a := faked(t)
	k := a.clock.(*kept)
	old := f.clock().Add(time.Minute)
	a.Set(old)
	f.wantArmed(t, old)
	f.pass(time.Minute)

	k.mu.Lock() // the reader stops before it arms
	f.rung <- nil
	at := f.clock().Add(time.Hour)
	k.at = at
	k.armLocked() // as set does
	f.wantArmed(t, at)
	k.mu.Unlock()

	wantRing(t, a)
	f.wantArmed(t, at)
}

// The kernel may tell of a change only when the timer is armed.
func TestToldWhenArming(t *testing.T) {
	f, a := faked(t)
	at := f.clock().Add(time.Hour)
	f.mu.Lock()
	f.told = true
	f.mu.Unlock()
	a.Set(at)
	f.wantArmed(t, at)
	wantRing(t, a)
}

// The clock is set back between the look at it and the arming: what seemed to be
// past is to come again.
func TestSetBackWhileArming(t *testing.T) {
	f, a := faked(t)
	at := f.clock().Add(time.Hour)
	a.Set(at)
	f.wantArmed(t, at)
	f.pass(59 * time.Minute)
	f.before = func() {
		f.mu.Lock()
		f.told, f.now = true, f.now.Add(2*time.Hour)
		f.mu.Unlock()
	}
	f.rung <- unix.ECANCELED
	wantRing(t, a)
	f.wantArmed(t, at)    // by the clock before
	f.wantArmed(t, never) // by the clock after
}

func TestTimespec(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		at   time.Time
		want unix.Timespec
	}{
		{time.Unix(1764547200, 17), unix.Timespec{Sec: 1764547200, Nsec: 17}},
		{time.Unix(0, 0), unix.Timespec{Nsec: 1}},
		{time.Unix(-1, 5), unix.Timespec{Nsec: 1}},
		{time.Time{}, unix.Timespec{Nsec: 1}},
		{time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC), unix.Timespec{Sec: never.Unix()}},
	} {
		if got := timespec(tt.at); got != tt.want {
			t.Errorf("%v: %+v, want %+v", tt.at, got, tt.want)
		}
	}
}

// This system has the timer: the tests above have not run on steps.
func TestNewIsKeptByTheKernel(t *testing.T) {
	t.Parallel()
	a := New()
	defer a.Close()
	k, ok := a.clock.(*kept)
	if !ok {
		t.Skip("no timerfd with TFD_TIMER_CANCEL_ON_SET here")
	}
	// A file that is out of the poller would block a thread.
	if err := k.timer.(timerfd).SetReadDeadline(time.Time{}); err != nil {
		t.Errorf("not in the poller: %v", err)
	}
}
