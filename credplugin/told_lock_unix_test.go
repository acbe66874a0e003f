//go:build unix

package credplugin

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Somebody who sits on the lock costs a moment, not the line.
func TestToldLockHeld(t *testing.T) {
	t.Parallel()
	note := newTold(t, "100 5")
	note.first("a", false)
	f, err := os.Open(note.paths[0])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if !note.first("b", false) || !note.first("b", false) {
		t.Error("nobody was told")
	}
	if note.first("a", false) {
		t.Error("told again what stands there to be read")
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("it took %v", took)
	}
}

// A lock that is given back within a moment is waited for.
func TestToldLockBusy(t *testing.T) {
	t.Parallel()
	note := newTold(t, "100 5")
	f, err := openWrite(note.paths[0])
	if err != nil || !tryLock(f) {
		t.Fatal(err)
	}
	time.AfterFunc(pause, func() { f.Close() })
	if !note.first("a", false) || note.first("a", false) {
		t.Error("not told once")
	}
}

// Where the socket's folder is not there, or not fit, another file knows.
func TestToldFallback(t *testing.T) {
	t.Parallel()
	open := newTold(t, "100 5").paths[0]
	if err := widen(open, ""); err != nil {
		t.Fatal(err)
	}
	taken := newTold(t, "100 5").paths[0]
	if err := os.Mkdir(taken, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"no folder":           filepath.Join(t.TempDir(), "a", "b", "told"),
		"a folder for all":    open,
		"a folder in its way": taken,
	} {
		note := newTold(t, "100 5")
		note.paths = append([]string{path}, note.paths...)
		if !note.first("x", false) || note.first("x", false) {
			t.Errorf("%s: not told once", name)
		}
		if note.hung() || !note.first("y", true) || !note.hung() {
			t.Errorf("%s: a hang is not known", name)
		}
	}
	if note := openTold("", false); len(note.paths) != 1 {
		t.Errorf("without a socket: %v", note.paths)
	}
}
