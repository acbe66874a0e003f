//go:build unix

package credplugin

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc/ipctest"
)

// A program that does not end in time is killed, with what it has started.
func TestSucceeds(t *testing.T) {
	t.Parallel()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	run := func(wait time.Duration, script string) bool {
		return succeeds(int(null.Fd()), time.Now().Add(wait), "/bin/sh", []string{"sh", "-c", script}, []string{"PATH=/usr/bin:/bin"})
	}
	if !run(time.Minute, "exit 0") || run(time.Minute, "exit 3") || run(time.Minute, "kill -KILL $$") {
		t.Error("its exit code is not told")
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(pipe, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	began := time.Now()
	if run(time.Second, "sleep 300 >"+pipe+" & wait") {
		t.Error("what hangs succeeds")
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
	if err := f.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Read(make([]byte, 1)); err != io.EOF { // whose other end nobody has
		t.Errorf("it has left something behind: %v", err)
	}
}

// A service manager that takes its socket for well, where nobody gets to it, is told to
// make it anew: by one of us, and only then.
func TestListens(t *testing.T) {
	t.Parallel()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	path, dir := ipctest.SocketPath(t), t.TempDir()
	mark := filepath.Join(dir, "renewed")
	m := serviceManager{program: "/bin/sh", env: []string{"PATH=/usr/bin:/bin"}, renew: []string{"sh", "-c", "echo >>" + mark}, turn: dir}
	listens := func(what string, renewed bool) {
		t.Helper()
		os.Remove(mark)
		if !m.listens(path, int(null.Fd()), time.Now().Add(time.Minute)) {
			t.Errorf("%s: nobody will", what)
		}
		if _, err := os.Stat(mark); (err == nil) != renewed {
			t.Errorf("%s: renewed %v", what, !renewed)
		}
	}
	listens("nothing is there", true)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	listens("a file", true)
	turn, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(turn.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	listens("another one's turn", false)
	turn.Close()
	os.Remove(path)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	listens("somebody listens", false)
	l.Close()
	m.renew[2] = "exit 1"
	if m.listens(path, int(null.Fd()), time.Now().Add(time.Minute)) {
		t.Error("it could not be made anew")
	}
	m.renew = nil
	listens("it does not listen itself", false)
}
