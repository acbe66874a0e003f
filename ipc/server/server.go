// Package server is the listening side of the socket: it accepts, judges who
// connected, bounds what they may send and how long they may take, and hands
// whole requests to an ipc.Agent.
//
// It promises that nothing that a peer sends or withholds stops it from serving
// others: sizes and times are capped, a panic ends one connection, and over the
// cap of connections the one that has been idle longest without having
// completed a request goes. It knows nothing about credentials.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/peer"
)

const (
	firstByte  = time.Second            // from accept to the first byte
	whole      = 2 * time.Second        // from accept to the last byte of the request
	writeReply = 2 * time.Second        // a peer that does not read is cut
	leave      = 10 * time.Millisecond  // how long accept waits for room
	handling   = 30 * time.Second       // what a handler may take that asks network and store
	finish     = 200 * time.Millisecond // what is left of that when the server ends: the next one waits for it
)

// Server serves an Agent. Its fields must not change once Serve runs.
type Server struct {
	Agent ipc.Agent
	Log   *slog.Logger

	// Ready waits until the agent can answer, or says why it cannot yet, which is
	// then the answer. Nil: it can.
	Ready func(context.Context, ipc.Op) error

	// Secret makes a secret of bytes that are cleared later; nil: ipc.NewSecret.
	Secret func([]byte) ipc.Secret

	// Answered is called before the answer to a request of another process is written:
	// what was asked, how it ended, and what it took from the whole request on. It
	// returns at once. Nil: nobody wants to know.
	Answered func(op ipc.Op, code ipc.Code, took time.Duration)

	// Peer tells who connected; nil means the kernel's answer.
	Peer func(net.Conn) (peer.Peer, error)

	// MaxConns is the cap of open connections, beyond which the idlest goes; 0
	// means 1,024, or half of the descriptors that this process may have.
	MaxConns int

	ahead byte // of what this package speaks: for tests of the versions to come

	mu      sync.Mutex
	waiting waiting // connections without a whole request yet
	open    int     // connections that have not been evicted
	last    time.Time
	closing bool
	deaf    chan struct{} // closed when nobody is accepted any more
	wg      sync.WaitGroup
}

// Serve accepts connections from l until ctx ends, then waits for the requests
// that are being answered, and cancels those that take long. A fetch that would have
// had to wait gets no answer: its client asks the next server. Serve closes l. The
// error is nil after ctx ended.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	if s.MaxConns == 0 {
		s.MaxConns = connsFor(descriptors())
	}
	s.deaf = make(chan struct{})
	drained := make(chan struct{})
	patient, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { defer close(drained); time.AfterFunc(finish, cancel); s.drain(l) })
	defer func() {
		s.wg.Wait()
		if !stop() {
			<-drained // the next agent may listen as soon as we return
		}
	}()
	short := shortage{log: s.Log}
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			if !temporary(err) {
				s.drain(l)
				return fmt.Errorf("accept: %w", err)
			}
			short.note(err, time.Now())
			// Out of descriptors, most likely: closing the idlest makes room.
			if !s.evict(true) && !sleep(ctx, leave) {
				return nil
			}
			continue
		}
		s.admit(ctx, patient, conn)
	}
}

// Last is when the last whole request came from another process; zero: none has.
func (s *Server) Last() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// drain stops accepting and drops the connections that have asked nothing yet.
func (s *Server) drain(l net.Listener) {
	l.Close()
	s.mu.Lock()
	if !s.closing {
		s.closing = true
		close(s.deaf)
	}
	s.mu.Unlock()
	for s.evict(false) {
	}
}

// admit starts the goroutine of a connection, and over the cap makes room.
func (s *Server) admit(ctx, patient context.Context, conn net.Conn) {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		conn.Close()
		return
	}
	s.open++
	over := s.open > s.MaxConns
	w := s.waiting.addLocked(conn)
	s.wg.Add(1)
	s.mu.Unlock()
	go func() {
		defer s.wg.Done()
		defer close(w.gone)
		s.serve(ctx, patient, conn, w)
	}()
	if over {
		s.evict(true)
	}
}

// evict closes the connection that has been idle longest, if there is one. It
// no longer counts from then on, so that each one over the cap costs one.
//
// Close does not free a descriptor that somebody reads from, the reader does: a
// caller that goes on to accept waits for that, or it would evict one after the
// other for the same want. It also gives those a turn that have just come and
// whose request lies there unread.
func (s *Server) evict(wait bool) bool {
	s.mu.Lock()
	w := s.waiting.evictLocked()
	if w != nil {
		s.open--
	}
	s.mu.Unlock()
	if w != nil {
		w.conn.Close()
	}
	if w != nil && wait {
		t := time.NewTimer(leave)
		defer t.Stop()
		select {
		case <-w.gone:
		case <-t.C:
		}
	}
	return w != nil
}

// serve reads one request, answers it and closes. ctx ends with the server; patient,
// for what may not be asked twice, a little later.
func (s *Server) serve(ctx, patient context.Context, conn net.Conn, w *waiter) {
	defer func() {
		if r := recover(); r != nil {
			// The value could quote a request: only its type is logged.
			s.Log.Error("request panicked", "type", fmt.Sprintf("%T", r))
		}
		s.end(conn, w)
	}()
	p, err := s.identify(conn)
	if err != nil {
		s.refuse(conn, err)
		return
	}
	buf := buffers.Get().(*[]byte)
	defer func() { clear(*buf); buffers.Put(buf) }()
	req, err := ipc.ReadRequest(&deadlineReader{conn: conn, s: s, w: w, start: time.Now()}, *buf)
	defer func() {
		for _, p := range req.Parts {
			clear(p) // which is not in buf if it was too large for that
		}
	}()
	s.mu.Lock()
	s.waiting.removeLocked(w)
	var came time.Time // zero: it is our own question
	if err == nil && p.PID != os.Getpid() {
		came = time.Now()
		s.last = came
	}
	evicted := w.evicted
	s.mu.Unlock()
	if evicted {
		return // a request that cannot be answered is not begun
	}
	if err != nil {
		s.refuse(conn, s.readError(req, err))
		return
	}
	fetch := ipc.Op(req.Kind) == ipc.OpFetch
	if !fetch {
		ctx = patient
	}
	ctx, cancel := context.WithTimeout(peer.NewContext(ctx, p), handling)
	defer cancel()
	room := buffers.Get().(*[]byte)
	defer func() { clear(*room); buffers.Put(room) }()
	reply := s.answer(ctx, req, (*room)[:0])
	defer func() { clear(reply.Parts[0]); clear(reply.Parts[1]) }() // which were too large for room
	if fetch && errors.Is(ctx.Err(), context.Canceled) && !gave(reply) {
		<-s.deaf // or who asks again would get us again
		return
	}
	now := time.Now()
	if s.Answered != nil && !came.IsZero() {
		s.Answered(ipc.Op(req.Kind), ipc.Code(reply.Kind), now.Sub(came))
	}
	s.write(conn, reply, now)
}

// end closes a connection, and not before it is no one any more that is counted: who
// sees the end and connects anew is no one too many.
func (s *Server) end(conn net.Conn, w *waiter) {
	s.mu.Lock()
	s.waiting.removeLocked(w)
	if !w.evicted {
		s.open--
	}
	s.mu.Unlock()
	conn.Close()
}

// gave reports whether the reply to a fetch is what was asked for.
func gave(f ipc.Frame) bool {
	return ipc.Code(f.Kind) == ipc.CodeOK && len(f.Parts[2]) == 1 && f.Parts[2][0] == 0
}

// identify returns the peer, or an error if it is not the user we run as.
func (s *Server) identify(conn net.Conn) (peer.Peer, error) {
	if s.Peer != nil {
		return s.Peer(conn)
	}
	unix, ok := conn.(*net.UnixConn)
	if !ok {
		return peer.Peer{}, fmt.Errorf("peer of a %T", conn)
	}
	p, err := peer.Of(unix)
	if errors.Is(err, peer.ErrUnsupported) {
		return peer.Peer{UID: uint32(os.Getuid())}, nil
	}
	if err == nil && int(p.UID) != os.Getuid() {
		s.Log.Warn("refused another user", "uid", p.UID, "pid", p.PID)
		err = &ipc.Error{Code: ipc.CodeDenied, What: "agent: it serves its owner only"}
	}
	return p, err
}

// buffers holds room for a typical request or answer. They are cleared when given
// back: either may carry a secret.
var buffers = sync.Pool{New: func() any { b := make([]byte, 8<<10); return &b }}
