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
type waiting struct{ conns list.List }

// A waiter is a connection's place in the queue; nil once it has left.
type waiter struct{ e *list.Element }

func (w *waiting) addLocked(c net.Conn) *waiter { return &waiter{w.conns.PushBack(c)} }

func (w *waiting) removeLocked(p *waiter) {
	if p.e != nil {
		w.conns.Remove(p.e)
		p.e = nil
	}
}

// touchLocked moves a connection that has just sent something to the back.
func (w *waiting) touchLocked(p *waiter) {
	if p.e != nil {
		w.conns.MoveToBack(p.e)
	}
}

// oldestLocked returns the idlest connection and moves it back, so that the
// next call finds another one even before it has closed.
func (w *waiting) oldestLocked() net.Conn {
	e := w.conns.Front()
	if e == nil {
		return nil
	}
	w.conns.MoveToBack(e)
	return e.Value.(net.Conn)
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
// where there is nobody to answer.
func readError(err error) error {
	switch {
	case errors.Is(err, ipc.ErrMalformed):
		return &ipc.Error{Code: ipc.CodeMalformed, What: "request: not in the agent's language", Hint: "cwagent and cwagent-credential speak it"}
	case errors.Is(err, ipc.ErrTooLarge):
		return &ipc.Error{Code: ipc.CodeTooLarge, What: "request: larger than 128 KiB", Hint: "a smaller certificate-authority-data, perhaps"}
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, io.ErrUnexpectedEOF):
		return &ipc.Error{Code: ipc.CodeMalformed, What: "request: not complete in time"}
	}
	return nil
}

func temporary(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) || errors.Is(err, syscall.ECONNABORTED)
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
