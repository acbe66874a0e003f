//go:build vm

package wall

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// These tests set the clock and put the machine to sleep. They run in a virtual
// machine that vm.sh makes, where this program is init, and nowhere else: they
// are not built without the tag vm, and do not begin but as process 1 of a kernel
// that was started for them.

// bootWord is on the kernel's command line, which hands it to init as a variable.
const bootWord = "CWAGENT_WALL_VM"

func TestMain(m *testing.M) {
	if os.Getpid() != 1 || os.Getenv(bootWord) != "throw-away" {
		fmt.Fprintln(os.Stderr, "wall: these tests set the clock: only for vm.sh")
		os.Exit(2)
	}
	for target, kind := range map[string]string{"/proc": "proc", "/sys": "sysfs", "/dev": "devtmpfs"} {
		if err := unix.Mount(kind, target, kind, 0, ""); err != nil {
			fmt.Printf("mount %s: %v\n", target, err)
		}
	}
	fmt.Printf("init: exit code %d\n", m.Run())
	unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

// setClock moves the wall clock of this machine.
func setClock(t *testing.T, by time.Duration) {
	t.Helper()
	ts, err := unix.TimeToTimespec(time.Now().Add(by))
	if err == nil {
		err = unix.ClockSettime(unix.CLOCK_REALTIME, &ts)
	}
	if err != nil {
		t.Fatalf("set clock: %v", err)
	}
}

// within wants a ring, and logs how long it took. Only the monotonic clock can
// tell.
func within(t *testing.T, a *Alarm, limit time.Duration) {
	t.Helper()
	start := time.Now()
	select {
	case <-a.Rings():
		t.Logf("rang after %v", time.Since(start).Round(10*time.Microsecond))
	case <-time.After(limit):
		t.Fatalf("did not ring within %v", limit)
	}
}

func silence(t *testing.T, a *Alarm, limit time.Duration) {
	t.Helper()
	select {
	case <-a.Rings():
		t.Error("rang without a reason")
	case <-time.After(limit):
	}
}

func kernelAlarm(t *testing.T) *Alarm {
	t.Helper()
	a := New()
	t.Cleanup(a.Close)
	if _, ok := a.clock.(*kept); !ok {
		t.Fatal("the alarm is not kept by the kernel")
	}
	return a
}

func stepAlarm(t *testing.T) *Alarm {
	a := &Alarm{rings: make(chan struct{}, 1)}
	a.clock = newStepping(time.Now, a.ring)
	t.Cleanup(a.Close)
	return a
}

func TestMachineOnTime(t *testing.T) {
	a := kernelAlarm(t)
	start := time.Now()
	a.Set(start.Add(3 * time.Second))
	within(t, a, 5*time.Second)
	if took := time.Since(start); took < 3*time.Second || took > 4*time.Second {
		t.Errorf("rang after %v", took)
	}
}

// Again and again: a timer that is cancelled has to be armed again.
func TestMachineClockIsSet(t *testing.T) {
	for _, tt := range []struct {
		name string
		at   time.Duration // ahead; 0: nothing is set
		by   time.Duration
	}{
		{"forward over it", time.Hour, 2 * time.Hour},
		{"forward, not so far", time.Hour, time.Minute},
		{"backward", time.Hour, -2 * time.Hour},
		{"nothing set, forward", 0, 2 * time.Hour},
		{"nothing set, backward", 0, -2 * time.Hour},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := kernelAlarm(t)
			for range 3 {
				if tt.at != 0 {
					a.Set(time.Now().Add(tt.at))
				}
				setClock(t, tt.by)
				within(t, a, time.Second)
				silence(t, a, 100*time.Millisecond)
			}
		})
	}
}

// Not set again after the jump, it still rings at its time.
func TestMachineKeepsToTheWall(t *testing.T) {
	a := kernelAlarm(t)
	a.Set(time.Now().Add(time.Hour))
	setClock(t, 59*time.Minute+58*time.Second)
	within(t, a, time.Second)
	within(t, a, 4*time.Second)
}

// Suspend to RAM, twice: Go's own timer, set to the same time, stands still.
func TestMachineSleeps(t *testing.T) {
	const (
		due   = 3 * time.Second
		awake = 6 // seconds after which the real-time clock wakes the machine
	)
	kept, unset, steps := kernelAlarm(t), kernelAlarm(t), stepAlarm(t)
	for range 2 {
		start := time.Now()
		kept.Set(start.Add(due))
		steps.Set(start.Add(due))
		goTimer := time.NewTimer(due)
		wake(t, awake)
		if err := os.WriteFile("/sys/power/state", []byte("mem"), 0); err != nil {
			t.Fatalf("sleep: %v", err)
		}
		wallTime, monotonic := wall(time.Now()).Sub(wall(start)), time.Since(start)
		t.Logf("asleep: the wall clock went on by %v, Go's by %v", wallTime, monotonic)
		if wallTime < due || monotonic > due {
			t.Fatal("that was no sleep over the time")
		}
		within(t, kept, time.Second)
		within(t, unset, time.Second)
		select {
		case <-goTimer.C:
			t.Error("Go's own timer rang as well: is golang/go#35012 mended?")
		default:
		}
		within(t, steps, step+time.Second)
	}
}

// wake lets the real-time clock wake the machine after so many seconds.
func wake(t *testing.T, seconds int) {
	t.Helper()
	const rtc = "/sys/class/rtc/rtc0/"
	text, err := os.ReadFile(rtc + "since_epoch")
	if err != nil {
		t.Fatal(err)
	}
	now, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(rtc+"wakealarm", []byte("0"), 0) // of before
	if err := os.WriteFile(rtc+"wakealarm", []byte(strconv.Itoa(now+seconds)), 0); err != nil {
		t.Fatal(err)
	}
}

// The body of the other systems, on a clock that is really set.
func TestMachineSteps(t *testing.T) {
	a := stepAlarm(t)
	for _, by := range []time.Duration{2 * time.Hour, -2 * time.Hour} {
		a.Set(time.Now().Add(time.Hour))
		silence(t, a, 100*time.Millisecond) // it looks at the clock now, too
		setClock(t, by)
		within(t, a, step+time.Second)
	}
}
