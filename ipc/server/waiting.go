package server

import (
	"container/list"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// waiting holds the connections that have not completed a request, the one
// that has been idle longest first. The server's mu guards it.
type waiting struct{ queue list.List }

// A waiter is a connection in the queue.
type waiter struct {
	conn    net.Conn
	e       *list.Element // nil once it has left
	evicted bool          // it was made to leave
	gone    chan struct{} // closed when its descriptor is free
}

func (w *waiting) addLocked(c net.Conn) *waiter {
	p := &waiter{conn: c, gone: make(chan struct{})}
	p.e = w.queue.PushBack(p)
	return p
}

func (w *waiting) removeLocked(p *waiter) {
	if p.e != nil {
		w.queue.Remove(p.e)
		p.e = nil
	}
}

// touchLocked moves a connection that has just sent something to the back.
func (w *waiting) touchLocked(p *waiter) {
	if p.e != nil {
		w.queue.MoveToBack(p.e)
	}
}

// evictLocked takes the idlest connection out; nil if there is none.
func (w *waiting) evictLocked() *waiter {
	e := w.queue.Front()
	if e == nil {
		return nil
	}
	p := e.Value.(*waiter)
	w.removeLocked(p)
	p.evicted = true
	return p
}

// A deadlineReader gives a peer its time: one second to begin, two in all.
type deadlineReader struct {
	conn  net.Conn
	s     *Server
	w     *waiter
	start time.Time
	begun bool
}

func (r *deadlineReader) Read(b []byte) (int, error) {
	limit := firstByte
	if r.begun {
		limit = whole
	}
	if err := r.conn.SetReadDeadline(r.start.Add(limit)); err != nil {
		return 0, err
	}
	n, err := r.conn.Read(b)
	if n > 0 {
		r.begun = true
		r.s.mu.Lock()
		r.s.waiting.touchLocked(r.w)
		r.s.mu.Unlock()
	}
	return n, err
}

// readError turns an error of reading a request into the answer, or into nil
// where there is nobody to answer. f is what could be read of the request.
func (s *Server) readError(f ipc.Frame, err error) error {
	switch {
	case errors.Is(err, ipc.ErrTooLarge) && !s.speaks(f.Version):
		return s.wrongVersion(f.Version) // whose caps may be others
	case errors.Is(err, ipc.ErrMalformed):
		return &ipc.Error{Code: ipc.CodeMalformed, What: "request: not in the agent's language", Hint: "cwagent and cwagent-credential speak it"}
	case errors.Is(err, ipc.ErrTooLarge):
		what := "request: larger than 128 KiB"
		if ipc.Op(f.Kind) != ipc.OpFetch {
			what = "request: larger than 1 MiB, or its token than 128 KiB"
		}
		return &ipc.Error{Code: ipc.CodeTooLarge, What: what, Hint: "a smaller certificate-authority-data, perhaps"}
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, io.ErrUnexpectedEOF):
		return &ipc.Error{Code: ipc.CodeMalformed, What: "request: not complete in time"}
	}
	return nil
}

// temporary reports whether an error of accept passes: want of descriptors or
// of the kernel's memory, and a peer that did not wait.
func temporary(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// sleep waits for d and reports whether ctx still lives.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
