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

// The lock of a cwagent that was killed keeps kubectl out of a file, and goes
// without anybody writing that: kubectl's own stays.
func TestLeftoverLock(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	gone := func(path string) func() bool {
		return func() bool { _, err := os.Lstat(path); return errors.Is(err, fs.ErrNotExist) }
	}
	const ours = "cwagent holds this while it writes\n"
	real := filepath.Join(w.home, "dotfiles", "kube")
	must(t, os.Mkdir(filepath.Dir(real), 0o700))
	must(t, os.WriteFile(real, []byte(written("me", "x", prod)), 0o600))
	must(t, os.Symlink(real, w.config))
	for _, path := range []string{w.config, real} {
		must(t, os.WriteFile(path+".lock", []byte(ours), 0o600))
	}
	w.run()
	w.eventually("left before", func() bool { return gone(w.config+".lock")() && gone(real+".lock")() })

	must(t, os.WriteFile(w.config+".lock", []byte(ours), 0o600))
	w.eventually("left, and nothing else has happened", gone(w.config+".lock"))

	f, err := os.Create(real + ".lock")
	must(t, err)
	must(t, syscall.Flock(int(f.Fd()), syscall.LOCK_EX))
	_, err = f.WriteString(ours)
	must(t, err)
	theirs := w.config + ".lock"
	must(t, os.WriteFile(theirs, nil, 0o600))
	w.write(real, written("me", first, prod))
	w.left(w.config, "kubectl's lock")
	if gone(real + ".lock")() {
		t.Error("taken away from somebody who is at work on it")
	}
	must(t, f.Close())
	w.eventually("left while it ran", gone(real+".lock"))
	if gone(theirs)() {
		t.Error("kubectl's lock was taken away")
	}
	must(t, os.Remove(theirs))
	w.absorbed(w.config, "prod")
}
