//go:build linux

package keyringtest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/godbus/dbus/v5"
)

// The kit is what other tests believe in: what it says is so, is so.

func locked(t *testing.T, k *Keyring) (is bool) {
	t.Helper()
	err := k.with("look", func(c control, p dbus.ObjectPath) error {
		return c.call(p, "org.freedesktop.DBus.Properties.Get", "org.freedesktop.Secret.Collection", "Locked").Store(&is)
	})
	if err != nil {
		t.Fatal(err)
	}
	return is
}

func file(t *testing.T, k *Keyring) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(k.Data(), "keyrings", "login.keyring"))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(b)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestLocks(t *testing.T) {
	t.Parallel()
	k := New(t, Options{Items: map[string]string{"a": "the secret"}})
	if b := file(t, k); !bytes.HasPrefix(b, []byte("GnomeKeyring\n")) || bytes.Contains(b, []byte("the secret")) {
		t.Errorf("not encrypted: %q", b)
	}
	for i, c := range []struct {
		do   func() error
		want bool
	}{
		{func() error { return nil }, false},
		{k.Lock, true},
		{k.Unlock, false},
		{func() error { k.Kill(); return k.RestartLocked() }, true},
		{k.Unlock, false},
		{func() error { k.Kill(); return k.Restart() }, false},
		{func() error { k.KillBus(); return k.Restart() }, false},
	} {
		must(t, c.do())
		if got := locked(t, k); got != c.want {
			t.Errorf("step %d: locked %v", i, got)
		}
	}
}

func TestLockedAtStart(t *testing.T) {
	t.Parallel()
	if !locked(t, New(t, Options{Locked: true})) {
		t.Error("it is not locked")
	}
}

func TestBlank(t *testing.T) {
	t.Parallel()
	k := New(t, Options{Blank: true, Items: map[string]string{"a": `the \ secret`}})
	must(t, k.Lock())
	k.Kill()
	must(t, k.Restart())
	if b := file(t, k); !bytes.HasPrefix(b, []byte("[keyring]")) || !bytes.Contains(b, []byte(`secret=the \\ secret`)) {
		t.Errorf("%q", b)
	}
}

func TestFresh(t *testing.T) {
	t.Parallel()
	if err := New(t, Options{Fresh: true}).Lock(); err == nil {
		t.Error("there is a collection")
	}
}

func TestStopAndKill(t *testing.T) {
	t.Parallel()
	k := New(t, Options{})
	pid := k.daemon.cmd.Process.Pid
	state := func() string {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		must(t, err)
		return string(b[bytes.LastIndexByte(b, ')')+2:][:1])
	}
	must(t, k.Stop())
	if s := state(); s != "T" {
		t.Errorf("state %s, want T", s)
	}
	must(t, k.Continue())
	must(t, k.Stop())
	k.Kill()
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
		t.Error("it lives")
	}
	if k.Stop() == nil || k.Continue() == nil {
		t.Error("stopped what does not run")
	}
	if err := k.Lock(); err == nil {
		t.Error("somebody started a keyring")
	}
}

func TestLongPath(t *testing.T) {
	if _, err := Start("/tmp/"+string(bytes.Repeat([]byte("x"), 100)), Options{}); err == nil {
		t.Error("a socket name that the system cuts off")
	}
}
