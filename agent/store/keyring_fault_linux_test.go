package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/store/keyringtest"
	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/ipctest"
)

func TestKeyringKilled(t *testing.T) {
	t.Parallel()
	k, s := realKeyring(t, keyringtest.Options{})
	put(t, s, "prod.00000001", "one")
	for range 3 {
		k.Kill()
		wantAnswer(t, s, agent.ErrAbsent, "nobody provides org.freedesktop.secrets")
		must(t, k.Restart())
		wantSecret(t, s, "prod.00000001", "one")
	}
}

func TestKeyringBusKilled(t *testing.T) {
	t.Parallel()
	k, s := realKeyring(t, keyringtest.Options{})
	put(t, s, "prod.00000001", "one")
	for range 3 {
		k.KillBus()
		wantAnswer(t, s, agent.ErrAbsent, "session bus unix:path=")
		must(t, k.Restart())
		wantSecret(t, s, "prod.00000001", "one")
	}
}

// A keyring that cannot write its file says no, and keeps what it had.
func TestKeyringDiskFull(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		ipctest.Skip(t, "only root can mount a small disk")
	}
	k, s := realKeyring(t, keyringtest.Options{})
	put(t, s, "prod.00000001", "one")
	k.Kill()
	dir := filepath.Join(k.Data(), "keyrings")
	file, err := os.ReadFile(filepath.Join(dir, "login.keyring"))
	must(t, err)
	must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k,mode=0700"))
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	must(t, os.WriteFile(filepath.Join(dir, "login.keyring"), file, 0o600))
	must(t, k.Restart())
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 64<<10), 0o600); err == nil {
		t.Fatal("the disk is not full")
	}
	for _, err := range []error{
		s.Put(t.Context(), "prod.00000001", ipc.NewSecret("new one")),
		s.Put(t.Context(), "prod.00000002", ipc.NewSecret("two")),
		s.Delete(t.Context(), "prod.00000001"),
	} {
		if !errors.Is(err, agent.ErrRefused) || errors.Is(err, agent.ErrAbsent) {
			t.Errorf("%v; want ErrRefused", err)
		}
	}
	wantSecret(t, s, "prod.00000001", "one")
	wantAbsent(t, s, "prod.00000002")
	must(t, os.Remove(ballast))
	put(t, s, "prod.00000002", "two")
	k.Kill()
	must(t, k.Restart())
	wantSecret(t, s, "prod.00000001", "one")
	wantSecret(t, s, "prod.00000002", "two")
}

// A program that looks for the bus by itself starts one here.
func TestKeyringNoBus(t *testing.T) {
	bin, mark := t.TempDir(), filepath.Join(t.TempDir(), "started")
	script := "#!/bin/sh\n: >" + mark + "\n"
	if err := os.WriteFile(filepath.Join(bin, "dbus-launch"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	run := t.TempDir()
	file := filepath.Join(t.TempDir(), "bus")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for env, words := range map[[2]string]string{
		{"", run}:                                             "no session bus: DBUS_SESSION_BUS_ADDRESS is not set and " + run + "/bus is no socket",
		{"", filepath.Dir(file)}:                              "is no socket",
		{"autolaunch:", run}:                                  "no session bus",
		{"unix:path=" + run + "/bus", ""}:                     "no such file or directory",
		{"unix:path=" + file, ""}:                             "connection refused",
		{"tcp:host=127.0.0.1,port=1", ""}:                     "not a unix socket",
		{"unixexec:path=dbus-launch", ""}:                     "not a unix socket",
		{"unix:guid=1", ""}:                                   "the address has no path",
		{"unix:path=%zz", ""}:                                 "invalid URL escape",
		{"autolaunch:;tcp:host=x", ""}:                        "not a unix socket",
		{"unix:abstract=not-there-" + filepath.Base(run), ""}: "connection refused",
	} {
		s := NewKeyring(KeyringConfig{Getenv: func(name string) string {
			return map[string]string{"DBUS_SESSION_BUS_ADDRESS": env[0], "XDG_RUNTIME_DIR": env[1]}[name]
		}})
		wantAnswer(t, s, agent.ErrAbsent, words)
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("dbus-launch was started")
	}
}

// The bus is found where systemd puts it, and is the second of two addresses.
func TestKeyringFindsBus(t *testing.T) {
	t.Parallel()
	k, _ := realKeyring(t, keyringtest.Options{})
	run := t.TempDir()
	must(t, os.Symlink(strings.TrimPrefix(k.Getenv("DBUS_SESSION_BUS_ADDRESS"), "unix:path="), filepath.Join(run, "bus")))
	for _, address := range []string{"", "unix:path=/nowhere;" + k.Getenv("DBUS_SESSION_BUS_ADDRESS") + ",guid=ab"} {
		s := NewKeyring(KeyringConfig{Wait: 20 * time.Second, Getenv: func(name string) string {
			if name == "DBUS_SESSION_BUS_ADDRESS" {
				return address
			}
			return map[string]string{"XDG_RUNTIME_DIR": run}[name]
		}})
		put(t, s, "prod.00000001", "one")
	}
}

// Not parallel: they count the goroutines of the process.
func TestKeyringStopped(t *testing.T) {
	k, s := realKeyring(t, keyringtest.Options{})
	underLoad(t, s, k.Stop, k.Continue)
}

func TestKeyringBusStopped(t *testing.T) {
	k, s := realKeyring(t, keyringtest.Options{})
	underLoad(t, s, k.StopBus, k.ContinueBus)
}

// underLoad has 20 calls a second come in while nobody answers.
func underLoad(t *testing.T, s *Keyring, stop, carryOn func() error) {
	const deadline, slack = 400 * time.Millisecond, 600 * time.Millisecond
	long := strings.Repeat("x", ipc.MaxPart) // more than a socket's buffer holds
	put(t, s, "prod.00000001", long)
	before := settled(1 << 20)
	must(t, stop())
	var wg sync.WaitGroup
	var most atomic.Int64
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for i := range 20 {
		<-tick.C
		most.Store(max(most.Load(), int64(runtime.NumGoroutine())))
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), deadline)
			defer cancel()
			began, err := time.Now(), error(nil)
			if i%2 == 0 {
				_, err = s.Get(ctx, "prod.00000001")
			} else {
				err = s.Put(ctx, "prod.00000001", ipc.NewSecret(long))
			}
			if d := time.Since(began); d > deadline+slack {
				t.Errorf("call %d took %v", i, d)
			}
			if !errors.Is(err, agent.ErrAbsent) || !strings.Contains(err.Error(), "does not answer since ") {
				t.Errorf("call %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	// Eight calls are waiting at any time, and one is on its way.
	if n := int(most.Load()); n > before+40 {
		t.Errorf("%d goroutines, %d before", n, before)
	}
	if n := settled(before); n > before {
		t.Errorf("%d goroutines stay, %d before", n, before)
	}
	must(t, carryOn())
	wantSecret(t, s, "prod.00000001", long)
}

// settled waits until no more goroutines than that run, or five seconds.
func settled(want int) int {
	for end := time.Now().Add(5 * time.Second); ; runtime.Gosched() {
		n := runtime.NumGoroutine()
		if n <= want || time.Now().After(end) {
			return n
		}
	}
}

// Between two calls the connection is gone: the answer is not a refusal.
func TestAnswer(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]error{
		"org.freedesktop.Secret.Error.IsLocked":        agent.ErrLocked,
		"org.freedesktop.Secret.Error.NoSession":       agent.ErrAbsent,
		"org.freedesktop.Secret.Error.NoSuchObject":    agent.ErrAbsent,
		"org.freedesktop.DBus.Error.NoReply":           agent.ErrAbsent,
		"org.freedesktop.DBus.Error.ServiceUnknown":    agent.ErrAbsent,
		"org.freedesktop.DBus.Error.Spawn.ChildExited": agent.ErrAbsent,
		"org.freedesktop.DBus.Error.AccessDenied":      agent.ErrRefused,
		"org.freedesktop.DBus.Error.Failed":            agent.ErrRefused,
		"org.freedesktop.DBus.Error.InvalidArgs":       agent.ErrRefused,
		"org.freedesktop.DBus.Error.LimitsExceeded":    agent.ErrRefused,
		"com.example.Whatever":                         agent.ErrRefused,
	} {
		for _, err := range []error{dbus.Error{Name: name}, &dbus.Error{Name: name}} {
			if got := answer(err); !errors.Is(got, want) {
				t.Errorf("%s: %v; want %v", name, got, want)
			}
		}
	}
	for _, err := range []error{dbus.ErrClosed, os.ErrDeadlineExceeded, context.Canceled} {
		if got := answer(err); !errors.Is(got, agent.ErrAbsent) {
			t.Errorf("%v: %v", err, got)
		}
	}
}
