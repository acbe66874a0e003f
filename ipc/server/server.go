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
	firstByte  = time.Second      // from accept to the first byte
	whole      = 2 * time.Second  // from accept to the last byte of the request
	writeReply = 2 * time.Second  // a peer that does not read is cut
	handling   = 30 * time.Second // what a handler may take that asks network and store
	maxConns   = 1024             // open connections; beyond it the idlest goes
)

// Server serves an Agent. Its fields must not change once Serve runs.
type Server struct {
	Agent ipc.Agent
	Log   *slog.Logger

	// Peer tells who connected; nil means the kernel's answer.
	Peer func(net.Conn) (peer.Peer, error)

	// MaxConns is the cap of open connections; 0 means 1,024.
	MaxConns int

	mu      sync.Mutex
	waiting waiting // connections without a whole request yet
	open    int     // connections that have not been evicted
	closing bool
	wg      sync.WaitGroup
}

// Serve accepts connections from l until ctx ends, then waits for the requests
// that are being answered. It closes l. The error is nil after ctx ended.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	drained := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { defer close(drained); s.drain(l) })
	defer func() {
		s.wg.Wait()
		if !stop() {
			<-drained // the next agent may listen as soon as we return
		}
	}()
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
			// Out of descriptors, most likely: closing the idlest makes room.
			s.Log.Warn("accept", "error", err)
			s.evict()
			if !sleep(ctx, 10*time.Millisecond) {
				return nil
			}
			continue
		}
		s.admit(ctx, conn)
	}
}

// drain stops accepting and drops the connections that have asked nothing yet.
func (s *Server) drain(l net.Listener) {
	l.Close()
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	for s.evict() {
	}
}

// admit starts the goroutine of a connection, and over the cap makes room.
func (s *Server) admit(ctx context.Context, conn net.Conn) {
	limit := s.MaxConns
	if limit == 0 {
		limit = maxConns
	}
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		conn.Close()
		return
	}
	s.open++
	over := s.open > limit
	w := s.waiting.addLocked(conn)
	s.wg.Add(1)
	s.mu.Unlock()
	if over {
		s.evict()
	}
	go func() {
		defer s.wg.Done()
		s.serve(context.WithoutCancel(ctx), conn, w)
	}()
}

// evict closes the connection that has been idle longest, if there is one. It
// no longer counts from then on, so that each one over the cap costs one.
func (s *Server) evict() bool {
	s.mu.Lock()
	w := s.waiting.evictLocked()
	if w != nil {
		s.open--
	}
	s.mu.Unlock()
	if w != nil {
		w.conn.Close()
	}
	return w != nil
}

// serve reads one request, answers it and closes.
func (s *Server) serve(ctx context.Context, conn net.Conn, w *waiter) {
	defer func() {
		if r := recover(); r != nil {
			// The value could quote a request: only its type is logged.
			s.Log.Error("request panicked", "type", fmt.Sprintf("%T", r))
		}
		conn.Close()
		s.mu.Lock()
		s.waiting.removeLocked(w)
		if !w.evicted {
			s.open--
		}
		s.mu.Unlock()
	}()
	p, err := s.identify(conn)
	if err != nil {
		s.refuse(conn, err)
		return
	}
	ctx, cancel := context.WithTimeout(peer.NewContext(ctx, p), handling)
	defer cancel()
	buf := buffers.Get().(*[]byte)
	defer func() { clear(*buf); buffers.Put(buf) }()
	req, err := ipc.ReadFrame(&deadlineReader{conn: conn, s: s, w: w, start: time.Now()}, ipc.MaxPart, *buf)
	s.mu.Lock()
	s.waiting.removeLocked(w)
	evicted := w.evicted
	s.mu.Unlock()
	if evicted {
		return // a request that cannot be answered is not begun
	}
	if err != nil {
		s.refuse(conn, readError(req, err))
		return
	}
	s.write(conn, s.answer(ctx, req))
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

// buffers holds room for a typical request. They are cleared when given back:
// a request may carry a secret.
var buffers = sync.Pool{New: func() any { b := make([]byte, 8<<10); return &b }}

// write sends a reply. A peer that went away or does not read is its own loss.
func (s *Server) write(conn net.Conn, f ipc.Frame) {
	buf := buffers.Get().(*[]byte)
	defer func() { clear(*buf); buffers.Put(buf) }()
	f.Version = ipc.Version
	_ = conn.SetWriteDeadline(time.Now().Add(writeReply))
	_, _ = conn.Write(ipc.AppendFrame((*buf)[:0], f))
}

// refuse answers with an error, except where the peer has shown that it is not
// listening for one.
func (s *Server) refuse(conn net.Conn, err error) {
	if err != nil {
		s.write(conn, errorFrame(s.Log, err))
	}
}
