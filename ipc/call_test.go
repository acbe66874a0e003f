package ipc_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/ipctest"
	"github.com/cwagent/cwagent/ipc/server"
)

// listen serves each connection with do, and returns the path.
func listen(t *testing.T, do func(net.Conn)) string {
	t.Helper()
	path := ipctest.SocketPath(t)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			do(c)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return path
}

// replies reads a request and answers with bytes.
func replies(b string) func(net.Conn) {
	return func(c net.Conn) {
		_, _ = ipc.ReadFrame(c, ipc.MaxPart, nil)
		_, _ = io.WriteString(c, b)
	}
}

func frame(kind ipc.Code, parts ...string) string {
	f := ipc.Frame{Version: 1, Kind: uint16(kind)}
	for i, p := range parts {
		f.Parts[i] = []byte(p)
	}
	return string(ipc.AppendFrame(nil, f))
}

func in(d time.Duration) time.Time { return time.Now().Add(d) }

// untilGone waits for the client to leave, so that it is the one that gives up.
func untilGone(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

func TestCallErrors(t *testing.T) {
	t.Parallel()
	dir := filepath.Dir(ipctest.SocketPath(t))
	stale := filepath.Join(dir, "stale.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: stale})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, path string
		code       ipc.Code
		what       string
	}{
		{"no socket", filepath.Join(dir, "none.sock"), ipc.CodeUnreachable, "agent: not running"},
		{"no folder", filepath.Join(dir, "none", "a.sock"), ipc.CodeUnreachable, "agent: not running"},
		{"a file for a folder", filepath.Join(file, "a.sock"), ipc.CodeUnreachable, "agent: not running"},
		{"a stale socket", stale, ipc.CodeUnreachable, "agent: not running"},
		{"a file for a socket", file, ipc.CodeUnreachable, "agent: not running"},
		{"a path of 200 bytes", filepath.Join(dir, strings.Repeat("x", 200)), ipc.CodeUnreachable, "agent: "},
		{"no answer", listen(t, func(net.Conn) {}), ipc.CodeUnreachable, "closed without an answer"},
		{"no answer to a request", listen(t, replies("")), ipc.CodeUnreachable, "closed without an answer"},
		{"half an answer", listen(t, replies(frame(0, "x")[:20])), ipc.CodeUnreachable, "closed without an answer"},
		{"an answer in HTTP", listen(t, replies("HTTP/1.1 200 OK\r\n\r\n")), ipc.CodeUnreachable, "not a cwagent frame"},
		{"an answer that announces 4 GiB", listen(t, replies("cwa\x01\x00\x00\x00\x00\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00")), ipc.CodeUnreachable, "frame too large"},
		{"an answer without an exit code", listen(t, replies(frame(0, "x", "y"))), ipc.CodeUnreachable, "not a cwagent frame"},
		{"a refusal", listen(t, replies(frame(ipc.CodeDenied, "no", "go away"))), ipc.CodeDenied, "no"},
		{"a code from the future", listen(t, replies(frame(999, "new"))), 999, "new"},
	} {
		_, err := ipc.Fetch(t.Context(), c.path, in(10*time.Second), ipc.FetchRequest{Name: "x"})
		var e *ipc.Error
		if !errors.As(err, &e) || e.Code != c.code || !strings.Contains(e.What, c.what) {
			t.Errorf("%s: %v, want code %d, %q", c.name, err, c.code, c.what)
		}
	}
}

func TestFetch(t *testing.T) {
	t.Parallel()
	path := listen(t, replies(frame(0, "out", "err", "\x07")))
	r, err := ipc.Fetch(t.Context(), path, in(10*time.Second), ipc.FetchRequest{Name: "x"})
	if err != nil || string(r.Stdout) != "out" || string(r.Stderr) != "err" || r.Exit != 7 {
		t.Errorf("%+v, %v", r, err)
	}
}

// A reply may be as large as it says, whatever the request was.
func TestCallLargeReply(t *testing.T) {
	t.Parallel()
	want := strings.Repeat("0123456789abcdef", 1<<18)
	f, err := ipc.Call(t.Context(), listen(t, replies(frame(0, want))), in(10*time.Second), ipc.OpStatus, [3][]byte{[]byte("{}")})
	if err != nil || string(f.Parts[0]) != want {
		t.Errorf("%d bytes of %d: %v", len(f.Parts[0]), len(want), err)
	}
}

// An agent that refuses by the header does not read on: what it says counts,
// not that our write broke.
func TestCallAnsweredEarly(t *testing.T) {
	t.Parallel()
	path := listen(t, func(c net.Conn) {
		_, _ = io.ReadFull(c, make([]byte, 20))
		_, _ = io.WriteString(c, frame(ipc.CodeTooLarge, "too large"))
	})
	_, err := ipc.Call(t.Context(), path, in(10*time.Second), ipc.OpAdd, [3][]byte{bytes.Repeat([]byte("x"), 4<<20)})
	var e *ipc.Error
	if !errors.As(err, &e) || e.Code != ipc.CodeTooLarge {
		t.Error(err)
	}
}

func TestCallEnds(t *testing.T) {
	t.Parallel()
	path := listen(t, untilGone)
	_, err := ipc.Call(t.Context(), path, in(50*time.Millisecond), ipc.OpStatus, [3][]byte{})
	var e *ipc.Error
	if !errors.As(err, &e) || e.Code != ipc.CodeTimeout || e.Hint == "" {
		t.Errorf("silence: %v", err)
	}
	_, err = ipc.Call(t.Context(), path, in(-time.Second), ipc.OpStatus, [3][]byte{})
	if !errors.As(err, &e) || e.Code != ipc.CodeTimeout {
		t.Errorf("no time at all: %v", err)
	}

	// Ctrl-C: the person does not wait for the deadline.
	ctx, cancel := context.WithCancel(t.Context())
	path = listen(t, func(c net.Conn) {
		_, _ = ipc.ReadFrame(c, ipc.MaxPart, nil)
		cancel()
		untilGone(c)
	})
	if _, err := ipc.Call(ctx, path, in(time.Hour), ipc.OpStatus, [3][]byte{}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// An agent that goes before it answers has a successor, where a service manager
// keeps the socket: what changes nothing asks that one. Nothing else is asked twice.
func TestAskAgain(t *testing.T) {
	t.Parallel()
	var served atomic.Int64
	path := listen(t, func(c net.Conn) {
		if served.Add(1)%3 != 0 {
			_, _ = ipc.ReadFrame(c, ipc.MaxPart, nil)
			return
		}
		replies(frame(ipc.CodeOK, "fine", "", "\x00"))(c)
	})
	reply, err := ipc.Fetch(t.Context(), path, in(5*time.Second), ipc.FetchRequest{Name: "prod"})
	if err != nil || string(reply.Stdout) != "fine" || served.Load() != 3 {
		t.Errorf("%+v, %v, served %d times", reply, err, served.Load())
	}
	for _, op := range []ipc.Op{ipc.OpStatus, ipc.OpToken, ipc.OpStores, ipc.OpKeys, ipc.OpMetrics} {
		if _, err := ipc.Call(t.Context(), path, in(5*time.Second), op, [3][]byte{}); err != nil {
			t.Errorf("%d: %v", op, err)
		}
	}
	served.Store(3)
	var e *ipc.Error
	if _, err := ipc.Call(t.Context(), path, in(5*time.Second), ipc.OpForget, [3][]byte{}); !errors.As(err, &e) || e.Code != ipc.CodeUnreachable || served.Load() != 4 {
		t.Errorf("%v, served %d times", err, served.Load())
	}
}

// A newer plugin asks an older agent in the newest version that both speak. (That a
// newer agent answers an older plugin is the server's to test.)
func TestOlderAgent(t *testing.T) {
	t.Parallel()
	path := ipctest.SocketPath(t)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &server.Server{Agent: &ipctest.Fake{}, Log: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() { cancel(); <-done })
	status := func(version byte) (ipc.Frame, error) {
		return ipc.CallIn(t.Context(), path, in(5*time.Second), version, ipc.OpStatus, [3][]byte{[]byte("{}")})
	}
	for _, version := range []byte{1, 2, 9} {
		if f, err := status(version); err != nil || f.Version != 1 {
			t.Errorf("asked in version %d: %v, answered in %d", version, err, f.Version)
		}
	}
	for _, spoken := range [][]byte{nil, {1}, {0, 0}, {2, 3}, {3, 3, 3}} { // by one with whom there is nothing in common
		if v, ok := ipc.Common(spoken, 2); ok {
			t.Errorf("%v: %d", spoken, v)
		}
	}
}
