package watch

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// plain runs do without root's right to read everything, on a thread of its own
// that ends with it.
func plain(do func()) {
	runtime.LockOSThread() // and never unlocked
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var caps [2]unix.CapUserData
	if err := unix.Capget(&header, &caps[0]); err != nil {
		panic(err)
	}
	caps[0].Effective &^= 1<<unix.CAP_DAC_OVERRIDE | 1<<unix.CAP_DAC_READ_SEARCH
	if err := unix.Capset(&header, &caps[0]); err != nil {
		panic(err)
	}
	do()
}

func TestUnreadable(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]fs.FileMode{"not at all": 0, "but for its names": 0o444, "but for its files": 0o111} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "a", "b")
			above := filepath.Dir(dir)
			must(t, os.MkdirAll(dir, 0o755), os.Chmod(above, mode))
			t.Cleanup(func() { os.Chmod(above, 0o755) })
			want := fs.ErrPermission
			if mode == 0o111 { // then it is the folder itself
				must(t, os.Chmod(above, 0o755), os.Chmod(dir, mode))
				t.Cleanup(func() { os.Chmod(dir, 0o755) })
			}
			f, err := begin(t, newWatcher(dir, Options{}, nil), plain)
			if !errors.Is(err, want) || !strings.Contains(err.Error(), dir) {
				t.Fatalf("state %v, want %v and the folder's name", err, want)
			}
			f.soon(func() { must(t, os.Chmod(above, 0o755), os.Chmod(dir, 0o755)) })
			if err := f.state(); err != nil {
				t.Fatalf("state %v", err)
			}
			f.settled()
			f.soon(func() { write(t, filepath.Join(dir, "x"), "x") })

			f.settled()
			f.soon(func() { must(t, os.Chmod(dir, 0)) })
			if err := f.state(); !errors.Is(err, want) {
				t.Fatalf("state %v, want %v", err, want)
			}
			f.soon(func() { must(t, os.Chmod(dir, 0o755)) })
			if err := f.state(); err != nil {
				t.Fatalf("state %v", err)
			}
		})
	}
}

// Not parallel: it counts what the process has.
func TestLeavesNothing(t *testing.T) {
	inotify := func() (n int) {
		fds, err := os.ReadDir("/proc/self/fd")
		must(t, err)
		for _, fd := range fds {
			if to, _ := os.Readlink("/proc/self/fd/" + fd.Name()); strings.Contains(to, "inotify") {
				n++
			}
		}
		return n
	}
	// A goroutine that runs shows no stack, and fsnotify's says that it has ended
	// a moment before it has: look again until it is as wanted.
	goroutines := func(want bool) {
		t.Helper()
		b := make([]byte, 1<<20)
		for deadline := time.Now().Add(patience); ; runtime.Gosched() {
			stacks := string(b[:runtime.Stack(b, true)])
			if strings.Contains(stacks, "fsnotify.(*") == want {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("goroutines of fsnotify: want %t\n%s", want, stacks)
			}
		}
	}
	dir := t.TempDir()
	f := on(t, dir, Options{})
	goroutines(true)
	if n := inotify(); n != 1 {
		t.Fatalf("%d descriptors while it runs", n)
	}
	f.soon(func() { write(t, filepath.Join(dir, "x"), "x") })
	write(t, filepath.Join(dir, "x"), "y")
	f.end()
	goroutines(false)
	if n := inotify(); n != 0 {
		t.Errorf("%d descriptors are left", n)
	}
}

func TestSilent(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{t.TempDir(), "/proc", "/no/such/folder"} {
		if silent(dir) {
			t.Errorf("%s is said to change without an event", dir)
		}
	}
	// linux/magic.h and the file systems' own sources
	for _, magic := range []uint32{0x65735546, 0x01021997, 0x786f4256, 0xbacbacbc} {
		if !silentFilesystems[magic] {
			t.Errorf("%#x is not known", magic)
		}
	}
}
