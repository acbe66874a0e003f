//go:build unix

package credplugin

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
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
