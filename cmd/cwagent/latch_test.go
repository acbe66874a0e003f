package main

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/render"
	"github.com/cwagent/cwagent/agent/store"
	"github.com/cwagent/cwagent/agent/wall"
	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/server"
)

func latchAt(t *testing.T, path string) *latch {
	t.Helper()
	c := &cli{now: time.Now}
	l := newLatch(&agentRun{cli: c, path: path, log: slog.New(slog.DiscardHandler)})
	l.begin = func() error { return nil }
	return l
}

// Close is Prepare and what that returns.
func (l *latch) Close(passphrase ipc.Secret) error {
	shut, err := l.Prepare(passphrase)
	if err != nil {
		return err
	}
	return shut()
}

func private(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "agent.sock")
}

// Shut stays shut for the next one, and only the passphrase opens it.
func TestLatch(t *testing.T) {
	t.Parallel()
	path, right := private(t), ipc.NewSecret("correct horse")
	if err := latchAt(t, path).Close(right); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path + ".locked"); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	l := latchAt(t, path)
	if since, guarded := l.Shut(); since.IsZero() || !guarded {
		t.Fatal("the next one is open")
	}
	for _, wrong := range []ipc.Secret{{}, ipc.NewSecret("correct hors")} {
		if err := l.Open(t.Context(), wrong); !hasCode(err, ipc.CodePassphrase) {
			t.Errorf("%v", err)
		}
	}
	if err := l.Open(t.Context(), right); err != nil {
		t.Fatal(err)
	}
	<-l.open()
	if since, _ := latchAt(t, path).Shut(); !since.IsZero() {
		t.Error("the next one is shut")
	}
}

// What it cannot do leaves it open, with nothing on disk.
func TestLatchThatDoesNotShut(t *testing.T) {
	t.Parallel()
	path := private(t)
	l := latchAt(t, path)
	l.begin = func() error { return errors.New("no descriptor") }
	if err := l.Close(ipc.Secret{}); err == nil {
		t.Error("no error")
	}
	if _, err := os.Stat(path + ".locked"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	<-l.open()
}

// A fetch that a locked agent refuses is a sign of life: the watchdog would end it.
func TestAliveWhileLocked(t *testing.T) {
	t.Parallel()
	path := private(t)
	l, err := server.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	r := &agentRun{cli: &cli{now: time.Now}, path: path, log: slog.New(slog.DiscardHandler), beginning: beginning{over: make(chan struct{})}}
	close(r.beginning.over)
	r.latch = &latch{}
	r.latch.is.Store(&shutting{Since: time.Now()})
	a := agent.New(agent.Config{
		Store: &store.Memory{}, Codec: render.Codec{}, Now: time.Now, Alarm: wall.New(), Log: r.log, Socket: path, Latch: r.latch,
	})
	s := &server.Server{Agent: a, Log: r.log, Ready: r.ready}
	go s.Serve(t.Context(), l)
	if !newSupervisor(path, &r.beginning, r.again.Load).alive(t.Context()) {
		t.Error("taken for dead")
	}
}

// Of two who shut it at once, one does, and what that has written stays.
func TestLatchTwice(t *testing.T) {
	t.Parallel()
	path := private(t)
	l := latchAt(t, path)
	begun := 0
	l.begin = func() error {
		if begun++; begun > 1 {
			return errors.New("it has begun already")
		}
		return nil
	}
	if err := l.Close(ipc.NewSecret("correct horse")); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(ipc.Secret{}); !hasCode(err, ipc.CodeLocked) {
		t.Errorf("the second: %v", err)
	}
	if since, guarded := latchAt(t, path).Shut(); since.IsZero() || !guarded {
		t.Error("the next one is open, or needs no passphrase")
	}
}
