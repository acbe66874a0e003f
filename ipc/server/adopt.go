package server

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// lockPoll is how often an agent that waits for another one to leave looks
// whether it has.
const lockPoll = 20 * time.Millisecond

// Adopt takes over the socket that a service manager has made at path and goes on
// listening on when this agent ends, so that callers wait during a restart. Another
// agent may be about to leave: take the Lock before anything is read or served.
func Adopt(path string, ul *net.UnixListener) (*Listener, error) {
	if at := ul.Addr().String(); at != path {
		return nil, &ipc.Error{
			Code: ipc.CodeInvalid, What: "socket: the service manager listens on " + at + ", and the plugin connects to " + path,
			Hint: "unset CWAGENT_SOCKET, or change the unit cwagent.socket",
		}
	}
	if err := privateDir(path); err != nil {
		return nil, err
	}
	ul.SetUnlinkOnClose(false)
	mine, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	return &Listener{UnixListener: ul, path: path, mine: mine, kept: true}, nil
}

// TryLock is Lock for who does not want to wait: its error says who serves.
func (l *Listener) TryLock() error {
	if l.lock != nil {
		return nil
	}
	lock, err := acquire(lockPath(l.path))
	if err == nil {
		l.lock = lock
	}
	return err
}

// Lock waits until no other agent serves the socket, or ctx ends.
func (l *Listener) Lock(ctx context.Context) error {
	tick := time.NewTicker(lockPoll)
	defer tick.Stop()
	for {
		err := l.TryLock()
		if e := (*ipc.Error)(nil); err == nil || !errors.As(err, &e) || e.Code != ipc.CodeExists {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// Ours reports whether the path still leads to this socket. Where it does not,
// nobody reaches this agent any more.
func (l *Listener) Ours() bool {
	now, err := os.Lstat(l.path)
	return err == nil && os.SameFile(now, l.mine)
}

// Kept reports whether the socket is a service manager's.
func (l *Listener) Kept() bool { return l.kept }

func lockPath(path string) string {
	return filepath.Join(filepath.Dir(path), filepath.Base(path)+".lock")
}

func privateDir(path string) error {
	if err := ipc.PrivateDir(filepath.Dir(path)); err != nil {
		return &ipc.Error{
			Code: ipc.CodeInvalid,
			What: "socket: " + err.Error(),
			Hint: "the folder of the socket must be yours alone: chmod 700 it, or set CWAGENT_SOCKET",
		}
	}
	return nil
}
