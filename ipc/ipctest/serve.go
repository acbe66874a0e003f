package ipctest

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/server"
)

// SocketPath returns where a socket can be made, in a folder of mode 0700 of
// its own. t.TempDir would not do: with the test's name in it the path soon has
// more bytes than sun_path.
func SocketPath(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cwa")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, ipc.SocketName)
}

// Serve serves a on a socket of its own until the test ends, and returns the
// socket's path. It leaves server.Listen alone, whose umask is the whole
// process's and would hit tests that run in parallel.
func Serve(t testing.TB, a ipc.Agent) string {
	t.Helper()
	path := SocketPath(t)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	s := &server.Server{Agent: a, Log: slog.New(slog.DiscardHandler)}
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return path
}
