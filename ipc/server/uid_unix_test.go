//go:build unix

package server_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/client"
	"github.com/cwagent/cwagent/ipc/ipctest"
	"github.com/cwagent/cwagent/ipc/server"
)

// Another user who gets as far as our socket is refused by the agent, and our
// client's own look at who listens refuses us there.
func TestAnotherUserIsRefused(t *testing.T) {
	t.Parallel()
	ipctest.NeedRoot(t)
	path := ipctest.SocketPath(t)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(path, 0o666), os.Chmod(filepath.Dir(path), 0o755)); err != nil {
		t.Fatal(err)
	}
	log := &syncBuffer{}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error)
	s := &server.Server{Agent: &ipctest.Fake{}, Log: slog.New(slog.NewTextHandler(log, nil))}
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() { stop(); <-done })

	for program, want := range map[string]string{
		"raw":    fmt.Sprintf("code %d: agent: it serves its owner only\n", ipc.CodeDenied),
		"client": fmt.Sprintf("code %d: agent: the socket %s is served by user id 0, not by you\n", ipc.CodeDenied, path),
	} {
		cmd := ipctest.Child(t, program, path)
		ipctest.AsNobody(t, cmd)
		if out, err := cmd.Output(); err != nil || string(out) != want {
			t.Errorf("%s: %q, %v, want %q", program, out, err, want)
		}
	}
	if !strings.Contains(log.String(), fmt.Sprintf("uid=%d pid=", ipctest.Nobody)) {
		t.Errorf("the log does not tell who came: %s", log)
	}
	// We ourselves are served all the same.
	if f, err := raw(path, fetchRequest); err != nil || f.Kind != uint16(ipc.CodeOK) {
		t.Errorf("%+v, %v", f, err)
	}
}

// Root is another user too: it could read the agent's memory, but a sudo that
// kept somebody's environment shall not act for him by accident.
func TestRootIsRefused(t *testing.T) {
	t.Parallel()
	ipctest.NeedRoot(t)
	path := ipctest.SocketPath(t)
	if err := os.Chown(filepath.Dir(path), ipctest.Nobody, ipctest.Nobody); err != nil {
		t.Fatal(err)
	}
	cmd := ipctest.Child(t, "serve", path)
	ipctest.AsNobody(t, cmd)
	defer startAgent(t, cmd)()

	if f, err := raw(path, fetchRequest); err != nil || ipc.Code(f.Kind) != ipc.CodeDenied {
		t.Errorf("the agent to root: %+v, %v", f, err)
	}
	_, err := client.Client{Path: path}.Status(t.Context(), ipc.StatusRequest{})
	var e *ipc.Error
	if !errors.As(err, &e) || e.Code != ipc.CodeDenied || !strings.Contains(e.What, "is served by user id 65534, not by you") || e.Hint == "" {
		t.Errorf("root's client: %v", err)
	}
	if _, err := server.Listen(path); !errors.As(err, &e) || e.Code != ipc.CodeInvalid || !strings.Contains(e.What, "belongs to another user") {
		t.Errorf("root's agent in his folder: %v", err)
	}
}
