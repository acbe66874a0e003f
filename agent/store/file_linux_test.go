package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/atomicfile/killtest"
	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/ipctest"
)

// killtest wants one thread: the main goroutine of this binary stays on its own.
func init() { runtime.LockOSThread() }

func TestMain(m *testing.M) {
	ipctest.Main(m, map[string]func([]string) int{"file": fileProgram})
}

// fileProgram does one thing to the store in a state folder, all of it on this
// thread: init, put or delete.
func fileProgram(args []string) int {
	state, identity := args[1], filepath.Join(args[2], "id")
	f := &files{form: formFile(FileFolder(state)), changed: make(chan struct{})}
	var err error
	switch args[0] {
	case "init":
		_, err = InitFile(FileInit{State: state, Identity: identity})
	case "put":
		err = f.Put(context.Background(), "prod.00000001", ipc.NewSecret("new"))
	case "delete":
		err = f.Delete(context.Background(), "prod.00000001")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// Who is killed at any system call leaves the old token or the new one, and a store
// that works on.
func TestFileKilled(t *testing.T) {
	t.Parallel()
	keys := t.TempDir()
	identity := filepath.Join(keys, "id")
	writeFile(t, identity, sshKey(t, edKey(t)))
	made := func(state string) {
		if _, err := InitFile(FileInit{State: state, Identity: identity}); err != nil {
			t.Fatal(err)
		}
	}
	program := func(do string) func(string) *exec.Cmd {
		return func(dir string) *exec.Cmd { return ipctest.Child(t, "file", do, filepath.Join(dir, "state"), keys) }
	}
	for do, want := range map[string][]string{"put": {"old", "new"}, "delete": {"old", ""}} {
		n := killtest.Everywhere(t, killtest.Case{
			Prepare: func(dir string) {
				made(filepath.Join(dir, "state"))
				put(t, fileIn(filepath.Join(dir, "state")), "prod.00000001", "old")
			},
			Program: program(do),
			Check: func(dir, where string) {
				s := fileIn(filepath.Join(dir, "state"))
				got, err := s.Get(t.Context(), "prod.00000001")
				if err != nil && (do == "put" || !errors.Is(err, agent.ErrNotFound)) {
					t.Errorf("%s %s: %v", do, where, err)
				}
				if v := got.Reveal(); v != want[0] && v != want[1] || where == "not killed" && v != want[1] {
					t.Errorf("%s %s: %q", do, where, v)
				}
				put(t, s, "prod.00000001", "after")
				wantSecret(t, s, "prod.00000001", "after")
				wantNothingLeft(t, do+" "+where, dir)
			},
		})
		t.Logf("%s: killed at %d system calls", do, n)
	}
	n := killtest.Everywhere(t, killtest.Case{
		Prepare: func(string) {},
		Program: program("init"),
		Check: func(dir, where string) {
			state := filepath.Join(dir, "state")
			if _, err := os.Stat(formFile(FileFolder(state)).Path()); err != nil {
				made(state)
			}
			s := fileIn(state)
			put(t, s, "prod.00000001", "after")
			wantSecret(t, s, "prod.00000001", "after")
			wantNothingLeft(t, "init "+where, dir)
		},
	})
	t.Logf("init: killed at %d system calls", n)
}

func wantNothingLeft(t *testing.T, where, dir string) {
	t.Helper()
	if left, _ := filepath.Glob(filepath.Join(dir, "state", "store", ".*")); len(left) > 0 {
		t.Errorf("%s: %q are left", where, left)
	}
}

// A disk that is full takes nothing and loses nothing.
func TestFileDiskFull(t *testing.T) {
	t.Parallel()
	ipctest.NeedRoot(t)
	disk := t.TempDir()
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=128k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(disk, unix.MNT_DETACH) })
	state := filepath.Join(disk, "state")
	filler := filepath.Join(disk, "filler")
	fill := func() { _ = os.WriteFile(filler, make([]byte, 1<<20), 0o600) } // as much as goes
	empty := func() {
		if err := os.Remove(filler); err != nil {
			t.Fatal(err)
		}
	}
	fill()
	if _, err := InitFile(FileInit{State: state, Ask: says(filePassphrase), work: 4}); err == nil || !strings.Contains(err.Error(), "no space left on device") {
		t.Error(err)
	}
	empty()
	if _, err := InitFile(FileInit{State: state, Ask: says(filePassphrase), work: 4}); err != nil {
		t.Fatal(err)
	}
	s := fileIn(state)
	unlockFile(t, s, filePassphrase)
	put(t, s, "prod.00000001", "one")
	fill()
	for _, key := range []string{"prod.00000001", "prod.00000002"} {
		err := s.Put(t.Context(), key, ipc.NewSecret(strings.Repeat("x", 10_000)))
		wantFileErr(t, err, agent.ErrRefused, "no space left on device")
	}
	wantSecret(t, s, "prod.00000001", "one")
	wantAbsent(t, s, "prod.00000002")
	wantNothingLeft(t, "full", disk)
	remove(t, s, "prod.00000002")
	empty()
	put(t, s, "prod.00000002", strings.Repeat("x", 10_000))
	wantSecret(t, s, "prod.00000001", "one")

	// One that can only be read gives all and takes nothing.
	if err := unix.Mount("", disk, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	wantSecret(t, s, "prod.00000001", "one")
	wantFileErr(t, s.Put(t.Context(), "prod.00000001", ipc.NewSecret("two")), agent.ErrRefused, "read-only file system")
	wantFileErr(t, s.Delete(t.Context(), "prod.00000001"), agent.ErrRefused, "read-only file system")
}

// A folder that may not be read is not there, whatever is in it.
func TestFileUnreadable(t *testing.T) {
	t.Parallel()
	if os.Geteuid() == 0 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestFileUnreadable$")
		ipctest.AsNobody(t, cmd)
		cmd.Dir = "/"
		cmd.Env = append(os.Environ(), "TMPDIR=/tmp", "HOME=/nonexistent")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return
	}
	s, state := openFile(t)
	put(t, s, "prod.00000001", "one")
	for path, mode := range map[string]os.FileMode{FileFolder(state): 0o700, s.files.form.Path(): 0o600, state: 0o700} {
		chmod(t, path, 0)
		wantFileAnswer(t, s, agent.ErrAbsent, "permission denied")
		chmod(t, path, mode)
		wantSecret(t, s, "prod.00000001", "one")
	}
	chmod(t, s.files.path("prod.00000001"), 0)
	_, err := s.Get(t.Context(), "prod.00000001")
	wantFileErr(t, err, agent.ErrAbsent, "permission denied")
	chmod(t, FileFolder(state), 0o500)
	wantFileErr(t, s.Put(t.Context(), "prod.00000001", ipc.NewSecret("two")), agent.ErrRefused, "permission denied")
	chmod(t, FileFolder(state), 0o700)
}

// A disk that hangs costs a call its deadline and no more, and is waited for.
func TestFileHangs(t *testing.T) {
	t.Parallel()
	s, _ := openFile(t)
	path := s.files.path("prod.00000001")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"prod.00000001", "prod.00000002"} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := s.Get(ctx, key)
		cancel()
		wantFileErr(t, err, agent.ErrAbsent, "does not answer since")
	}
	w, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	put(t, s, "prod.00000001", "one")
	wantSecret(t, s, "prod.00000001", "one")
}
