//go:build unix

package server_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/ipctest"
	"github.com/cwagent/cwagent/ipc/server"
)

// unit makes a socket as a service manager does: it stays when we close ours.
func unit(t *testing.T, path string) *net.UnixListener {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	t.Cleanup(func() { l.Close() })
	return l
}

// An agent at a socket that is a service manager's does not get the lock while
// another one has it, and leaves the socket where it is.
func TestAdopt(t *testing.T) {
	path := ipctest.SocketPath(t)
	before := mustListen(t, path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	l, err := server.Adopt(unit(t, path))
	if err != nil {
		t.Fatal(err)
	}
	if before.Ours() || !l.Ours() {
		t.Errorf("the path is the first one's: %v, the second one's: %v", before.Ours(), l.Ours())
	}
	var e *ipc.Error
	if err := l.TryLock(); !errors.As(err, &e) || e.Code != ipc.CodeExists {
		t.Errorf("%v", err)
	}
	before.Close()
	for range 2 {
		if err := l.TryLock(); err != nil {
			t.Error(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err != nil {
		t.Errorf("the service manager's socket is gone: %v", err)
	}
}

// A socket whose path is gone is taken all the same, and is nobody's.
func TestAdoptGone(t *testing.T) {
	path := ipctest.SocketPath(t)
	u := unit(t, path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	l, err := server.Adopt(u)
	if err != nil {
		t.Fatal(err)
	}
	if l.Ours() {
		t.Error("nothing is there, and it is ours")
	}
	unit(t, path)
	if l.Ours() {
		t.Error("another one's is ours")
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// A folder that others may enter is no reason not to take the socket, who asks would
// wait in vain. It is one not to begin.
func TestAdoptOpenFolder(t *testing.T) {
	path := ipctest.SocketPath(t)
	if err := os.Chmod(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := server.Adopt(unit(t, path))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var e *ipc.Error
	if err := l.TryLock(); !errors.As(err, &e) || !strings.Contains(e.What, "open to other users") || e.Hint == "" {
		t.Errorf("%v", err)
	}
	if err := os.Chmod(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := l.TryLock(); err != nil {
		t.Error(err)
	}
}
