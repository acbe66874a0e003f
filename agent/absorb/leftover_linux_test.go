package absorb_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// A restore that is killed at the rename leaves a temporary file that holds the
// token: it goes when its process has, also when no agent ran at that time.
func TestLeftover(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	gone := func(path string) func() bool {
		return func() bool { _, err := os.Lstat(path); return errors.Is(err, fs.ErrNotExist) }
	}
	dir := filepath.Dir(w.config)
	dead, busy := filepath.Join(dir, ".cwagent-dead"), filepath.Join(dir, ".cwagent-busy")
	must(t, os.WriteFile(dead, []byte(first), 0o600))
	w.run()
	w.eventually("left before", gone(dead))

	f, err := os.Create(busy)
	must(t, err)
	must(t, syscall.Flock(int(f.Fd()), syscall.LOCK_EX))
	_, err = f.WriteString(first)
	must(t, err)
	w.write(w.config, written("me", first, prod)) // the folder was looked at when this is done
	w.absorbed(w.config, "prod")
	if gone(busy)() {
		t.Error("taken away from somebody who is at work on it")
	}
	must(t, f.Close())
	w.eventually("left while it ran", gone(busy))
}
