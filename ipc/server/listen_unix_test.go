//go:build unix

// No test of Listen is parallel: it sets the umask, which is the process's.

package server_test

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/client"
	"github.com/cwagent/cwagent/ipc/ipctest"
	"github.com/cwagent/cwagent/ipc/server"
)

func mustListen(t *testing.T, path string) *server.Listener {
	t.Helper()
	l, err := server.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// wantRefused wants Listen to fail with that code and those words, and to leave
// what is at path alone.
func wantRefused(t *testing.T, path string, code ipc.Code, words ...string) {
	t.Helper()
	before, _ := os.Lstat(path)
	l, err := server.Listen(path)
	if err == nil {
		l.Close()
		t.Fatal("it listens")
	}
	var e *ipc.Error
	if !errors.As(err, &e) || e.Code != code || e.Hint == "" {
		t.Errorf("%v, want code %d", err, code)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not say %q", err, w)
		}
	}
	if after, _ := os.Lstat(path); before != nil && !os.SameFile(before, after) {
		t.Error("it replaced what was there")
	}
}

func TestListenModes(t *testing.T) {
	for _, mask := range []int{0, 0o022, 0o077} {
		path := filepath.Join(filepath.Dir(ipctest.SocketPath(t)), "new", "agent.sock")
		old := syscall.Umask(mask)
		l, err := server.Listen(path)
		left := syscall.Umask(old)
		if err != nil {
			t.Fatal(err)
		}
		if left != mask {
			t.Errorf("the umask became %03o, it was %03o", left, mask)
		}
		for name, want := range map[string]fs.FileMode{
			filepath.Dir(path): fs.ModeDir | 0o700,
			path:               fs.ModeSocket | 0o600,
			path + ".lock":     0o600,
		} {
			if info, err := os.Lstat(name); err != nil || info.Mode() != want {
				t.Errorf("umask %03o: %s: %v, %v, want %v", mask, name, info, err, want)
			}
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("closed, and the socket is there: %v", err)
		}
	}
}

func TestListenTwice(t *testing.T) {
	path := ipctest.SocketPath(t)
	l := mustListen(t, path)
	wantRefused(t, path, ipc.CodeExists, path, "pid "+strconv.Itoa(os.Getpid()))
	l.Close()
	mustListen(t, path)
}

func TestListenAtOnce(t *testing.T) {
	path := ipctest.SocketPath(t)
	for range 20 {
		var wg sync.WaitGroup
		got := make(chan *server.Listener, 8)
		for range cap(got) {
			wg.Go(func() {
				l, err := server.Listen(path)
				var e *ipc.Error
				if err == nil {
					got <- l
				} else if !errors.As(err, &e) || e.Code != ipc.CodeExists {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		close(got)
		if len(got) != 1 {
			t.Fatalf("%d agents at one socket", len(got))
		}
		for l := range got {
			l.Close()
		}
	}
}

// An agent that was killed leaves a socket that nobody serves.
func TestListenAfterACrash(t *testing.T) {
	path := ipctest.SocketPath(t)
	cmd := ipctest.Child(t, "serve", path)
	startAgent(t, cmd)
	wantRefused(t, path, ipc.CodeExists, "pid "+strconv.Itoa(cmd.Process.Pid))
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if _, err := os.Lstat(path); err != nil {
		t.Fatalf("there is no stale socket to replace: %v", err)
	}
	l := mustListen(t, path)
	if _, err := net.Dial("unix", path); err != nil {
		t.Errorf("nobody listens: %v", err)
	}
	l.Close()
}

// One that ignores the lock is seen by its answer.
func TestListenBesideAStranger(t *testing.T) {
	path := ipctest.SocketPath(t)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	wantRefused(t, path, ipc.CodeExists, path)
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

func TestListenRefuses(t *testing.T) {
	path := ipctest.SocketPath(t)
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, path, ipc.CodeInvalid, path, "not a socket")

	link := filepath.Join(filepath.Dir(path), "link.sock")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, link, ipc.CodeInvalid, link, "not a socket")
	if b, err := os.ReadFile(path); err != nil || string(b) != "precious" {
		t.Errorf("the file became %q, %v", b, err)
	}

	open := ipctest.SocketPath(t)
	if err := os.Chmod(filepath.Dir(open), 0o755); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, open, ipc.CodeInvalid, filepath.Dir(open), "open to other users")
	if left, _ := os.ReadDir(filepath.Dir(open)); len(left) != 0 {
		t.Errorf("it left %v", left)
	}
}

func TestCloseLeavesOthersAlone(t *testing.T) {
	path := ipctest.SocketPath(t)
	l := mustListen(t, path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	other, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	l.Close()
	if c, err := net.Dial("unix", path); err != nil {
		t.Errorf("the other agent lost its socket: %v", err)
	} else {
		c.Close()
	}
}

// A second Close comes when the next agent may be there, perhaps with the very
// inode that ours had.
func TestCloseTwice(t *testing.T) {
	path := ipctest.SocketPath(t)
	for range 10 {
		first := mustListen(t, path)
		first.Close()
		second := mustListen(t, path)
		first.Close()
		if _, err := os.Lstat(path); err != nil {
			t.Fatal(err)
		}
		second.Close()
	}
}

// When Serve has returned, the next agent can listen: a restart never finds its
// own predecessor.
func TestServeLeavesRoom(t *testing.T) {
	path := ipctest.SocketPath(t)
	for range 50 {
		l := mustListen(t, path)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		s := &server.Server{Agent: &ipctest.Fake{}, Log: slog.New(slog.DiscardHandler)}
		go func() { done <- s.Serve(ctx, l) }()
		if _, err := (client.Client{Path: path}).Status(t.Context(), ipc.StatusRequest{}); err != nil {
			t.Fatal(err)
		}
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
}
