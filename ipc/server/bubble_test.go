package server_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/ipctest"
	"github.com/cwagent/cwagent/ipc/peer"
	"github.com/cwagent/cwagent/ipc/server"
)

// pipes is a listener whose connections are net.Pipes, which a synctest bubble
// can see through: in there the seconds that peers may take cost nothing.
type pipes struct {
	conns  chan net.Conn
	errs   chan error
	closed chan struct{}
	once   sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case err := <-p.errs:
		return nil, err
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error { p.once.Do(func() { close(p.closed) }); return nil }

func (p *pipes) Addr() net.Addr { return nil }

// A bed is a server in a bubble.
type bed struct {
	t    *testing.T
	l    *pipes
	log  *syncBuffer
	stop context.CancelFunc
	done chan error // what Serve returned

	mu       sync.Mutex
	answered []answered
}

// answered is what a server has told of one answer.
type answered struct {
	op   ipc.Op
	code ipc.Code
	took time.Duration
}

func (b *bed) tell(op ipc.Op, code ipc.Code, took time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.answered = append(b.answered, answered{op, code, took})
}

var somebody = peer.Peer{UID: 1, Process: peer.Process{PID: 2, Start: 3}}

// inBubble serves an agent in a bubble for the length of test.
func inBubble(t *testing.T, a ipc.Agent, maxConns int, test func(b *bed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		b := &bed{
			t: t, stop: stop, done: make(chan error, 1), log: &syncBuffer{},
			l: &pipes{conns: make(chan net.Conn, 16), errs: make(chan error), closed: make(chan struct{})},
		}
		s := &server.Server{
			Agent: a, Log: slog.New(slog.NewTextHandler(b.log, nil)), MaxConns: maxConns,
			Peer: func(net.Conn) (peer.Peer, error) { return somebody, nil }, Answered: b.tell,
		}
		go func() { b.done <- s.Serve(ctx, b.l) }()
		test(b)
		stop()
		if err := <-b.done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
}

// wait waits for Serve to return, and leaves what it returned for later.
func (b *bed) wait() { b.done <- <-b.done }

// dial connects.
func (b *bed) dial() net.Conn {
	near, far := net.Pipe()
	b.l.conns <- far
	synctest.Wait()
	b.t.Cleanup(func() { near.Close() })
	return near
}

// ask sends bytes and returns the answer and how long it took.
func (b *bed) ask(c net.Conn, request string) (ipc.Frame, time.Duration) {
	b.t.Helper()
	start := time.Now()
	// A pipe has no buffer: the server may answer before it has read all.
	sent := make(chan struct{})
	go func() { defer close(sent); _, _ = io.WriteString(c, request) }()
	f, err := ipc.ReadFrame(c, ipc.MaxReply, nil)
	if err != nil {
		b.t.Errorf("no answer to %.40q: %v", request, err)
	}
	took := time.Since(start)
	b.wantClosed(c)
	<-sent
	return f, took
}

// wantClosed wants the server to have closed c.
func (b *bed) wantClosed(c net.Conn) {
	b.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
	if n, err := c.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		b.t.Errorf("the connection is not closed: %d bytes, %v", n, err)
	}
}

// wantOpen wants the server to wait for something from c.
func (b *bed) wantOpen(c net.Conn) {
	b.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(time.Nanosecond))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		b.t.Errorf("the connection is not open: %v", err)
	}
	_ = c.SetReadDeadline(time.Time{})
}

func (b *bed) wantCode(f ipc.Frame, code ipc.Code) {
	b.t.Helper()
	if ipc.Code(f.Kind) != code || f.Version != ipc.Version {
		b.t.Errorf("code %d in version %d: %s, want code %d", f.Kind, f.Version, f.Parts[0], code)
	}
	if code != ipc.CodeOK && len(f.Parts[0]) == 0 {
		b.t.Errorf("an error without words")
	}
}

// wantFetch wants a fetch to be served at once.
func (b *bed) wantFetch() {
	b.t.Helper()
	f, took := b.ask(b.dial(), fetchRequest)
	b.wantCode(f, ipc.CodeOK)
	if took != 0 {
		b.t.Errorf("a fetch took %v", took)
	}
}

func frame(version byte, op ipc.Op, parts ...string) string {
	f := ipc.Frame{Version: version, Kind: uint16(op)}
	for i, p := range parts {
		f.Parts[i] = []byte(p)
	}
	return string(ipc.AppendFrame(nil, f))
}

var fetchRequest = frame(1, ipc.OpFetch, "prod", "{}")

// syncBuffer is a log that can be read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// agent is a fake whose status the test decides.
type agent struct {
	ipctest.Fake
	status func(context.Context) (ipc.Status, error)
}

func (a *agent) Status(ctx context.Context, _ ipc.StatusRequest) (ipc.Status, error) {
	return a.status(ctx)
}
