package store

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/store/keyringtest"
	"github.com/cwagent/cwagent/ipc/ipctest"
)

// soon is how quickly an agent has to know.
const soon = time.Second

// A sentry is a Watch that runs.
type sentry struct {
	t     *testing.T
	ready chan time.Time
}

func watching(t *testing.T, s *Keyring) *sentry {
	t.Helper()
	w := &sentry{t, make(chan time.Time, 100)}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { s.Watch(ctx, func() { w.ready <- time.Now() }) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return w
}

// within wants to be told of what do does.
func (w *sentry) within(what string, do func() error) {
	w.t.Helper()
	must(w.t, do())
	began := time.Now()
	select {
	case at := <-w.ready:
		took := at.Sub(began)
		w.t.Logf("%s: told after %v", what, took)
		if took > soon {
			w.t.Errorf("%s: told after %v", what, took)
		}
	case <-time.After(20 * time.Second):
		w.t.Fatalf("%s: not told", what)
	}
}

// quiet wants nothing to have been told so far.
func (w *sentry) quiet(what string) {
	w.t.Helper()
	select {
	case <-w.ready:
		w.t.Errorf("%s: told", what)
	default:
	}
}

// A day of a keyring, and each time that it can be used again is told.
func TestKeyringWatched(t *testing.T) {
	t.Parallel()
	k, s := realKeyring(t, keyringtest.Options{})
	w := watching(t, s)
	w.within("it is well", func() error { return nil })
	must(t, k.Lock())
	w.within("unlocked", k.Unlock)
	k.Kill()
	w.within("the keyring returns", k.Restart)
	k.Kill()
	must(t, k.RestartLocked())
	w.quiet("locked after a login")
	w.within("unlocked after a login", k.Unlock)
	k.KillBus()
	w.within("bus and keyring return", k.Restart)
	must(t, k.Lock())
	w.within("another default collection", func() error { return k.SetDefault("new", "x") })
	put(t, s, "prod.00000001", "one")
	must(t, s.Delete(t.Context(), "prod.00000001"))
	w.quiet("written to")
}

// What does not answer is told of when it does.
func TestKeyringWatchedStopped(t *testing.T) {
	t.Parallel()
	k, s := realKeyring(t, keyringtest.Options{})
	for what, do := range map[string][2]func() error{
		"keyring": {k.Stop, k.Continue},
		"bus":     {k.StopBus, k.ContinueBus},
	} {
		must(t, do[0]())
		w := watching(t, s)
		ctx, cancel := context.WithTimeout(t.Context(), soon)
		err := s.Look(ctx)
		cancel()
		if silence, ok := errors.AsType[*agent.Silence](err); !ok || !errors.Is(err, agent.ErrAbsent) || time.Since(silence.Since) > 20*time.Second {
			t.Errorf("%s stopped: %v", what, err)
		}
		w.quiet(what + " stopped")
		w.within(what+" continues", do[1])
		must(t, s.Look(t.Context()))
	}
}

// A watch ends with its ctx, whatever hangs or is missing, and leaves nothing. Not
// parallel: it counts the goroutines of the process.
func TestKeyringWatchEnds(t *testing.T) {
	k, s := realKeyring(t, keyringtest.Options{})
	nothing := func() error { return nil }
	for what, do := range map[string][2]func() error{
		"well":            {nothing, nothing},
		"keyring stopped": {k.Stop, k.Continue},
		"bus stopped":     {k.StopBus, k.ContinueBus},
		"no bus":          {func() error { k.KillBus(); return nil }, k.Restart},
	} {
		before := runtime.NumGoroutine()
		must(t, do[0]())
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		began := time.Now()
		s.Watch(ctx, func() {})
		cancel()
		if took := time.Since(began); took > soon {
			t.Errorf("%s: it ended after %v", what, took)
		}
		if n := settled(before); n > before {
			t.Errorf("%s: %d goroutines stay, %d before", what, n, before)
		}
		must(t, do[1]())
	}
}

// A watch that begins before there is a bus, or a folder for it, needs nothing when
// both come.
func TestKeyringWatchedFromNothing(t *testing.T) {
	t.Parallel()
	k, _ := realKeyring(t, keyringtest.Options{})
	run := filepath.Join(t.TempDir(), "run", "user")
	s := NewKeyring(KeyringConfig{Wait: 20 * time.Second, Getenv: func(name string) string {
		return map[string]string{"XDG_RUNTIME_DIR": run}[name]
	}})
	w := watching(t, s)
	w.quiet("no bus")
	must(t, os.MkdirAll(run, 0o700))
	bus := strings.TrimPrefix(k.Getenv("DBUS_SESSION_BUS_ADDRESS"), "unix:path=")
	w.within("a bus comes", func() error { return os.Symlink(bus, filepath.Join(run, "bus")) })

	must(t, os.Remove(filepath.Join(run, "bus")))
	k.KillBus()
	must(t, k.Restart())
	w.quiet("the bus is elsewhere")
	w.within("it returns", func() error { return os.Symlink(bus, filepath.Join(run, "bus")) })
}

// What is not open is looked at, and nothing else: no prompt, nothing is started.
func TestKeyringWatchOnlyLooks(t *testing.T) {
	t.Parallel()
	o := &otherService{dflt: "/c", locked: true, looked: make(chan struct{}, 100)}
	w := watching(t, o.serve(t))
	<-o.looked
	w.quiet("locked")
	if got := o.told(); got != "[]" {
		t.Errorf("it was told %v", got)
	}
}

// Every call on the bus is listed while a keyring is watched that is locked.
func TestKeyringWatchNeverPrompts(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("dbus-monitor"); err != nil {
		ipctest.Skip(t, "dbus-monitor is not installed: make deps")
	}
	k, s := realKeyring(t, keyringtest.Options{Locked: true})
	var calls bytes.Buffer
	monitor := exec.Command("dbus-monitor", "--profile", "--address", k.Getenv("DBUS_SESSION_BUS_ADDRESS"), "type='method_call'")
	monitor.Stdout = &calls
	must(t, monitor.Start())
	w := watching(t, s)
	if err := s.Look(t.Context()); !errors.Is(err, agent.ErrLocked) {
		t.Errorf("%v", err)
	}
	w.quiet("locked")
	w.within("unlocked", k.Unlock)
	must(t, monitor.Process.Signal(os.Interrupt))
	_ = monitor.Wait()
	for _, bad := range []string{"Prompt", "StartServiceByName", "\tUnlock\n", "GetSecret"} {
		if strings.Contains(calls.String(), bad) {
			t.Errorf("%s was called:\n%s", strings.TrimSpace(bad), calls.String())
		}
	}
}
