package server

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"github.com/cwagent/cwagent/ipc"
)

// Adopt takes over the socket that a service manager has made and goes on listening
// on when this agent ends, so that callers wait during a restart. Another agent may be
// about to leave: take the lock before anything is read or served. What is at its path
// may have been removed since; then the socket is not ours, as [Listener.Ours] has it,
// and nobody can connect.
func Adopt(ul *net.UnixListener) (*Listener, error) {
	path := ul.Addr().String()
	ul.SetUnlinkOnClose(false)
	mine, err := os.Lstat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return &Listener{UnixListener: ul, path: path, mine: mine, kept: true}, nil
}

// Leave keeps the socket and its lock beyond Close, for a program that this one is
// about to execute, which takes them by [Inherit]: whoever connects meanwhile waits.
// It must come before Close. The caller sees to it that both files stay open.
func (l *Listener) Leave() (socket, lock *os.File, err error) {
	if l.lock == nil {
		return nil, nil, errors.New("socket: its lock is not ours")
	}
	socket, err = l.UnixListener.File()
	if err != nil {
		return nil, nil, err
	}
	l.left = true
	return socket, l.lock, nil
}

// Inherit takes what another program has left.
func Inherit(socket, lock *os.File, kept bool) (*Listener, error) {
	defer socket.Close()
	any, err := net.FileListener(socket)
	if err != nil {
		return nil, err
	}
	ul, ok := any.(*net.UnixListener)
	if !ok {
		any.Close()
		return nil, errors.New("socket: what was left is no Unix socket")
	}
	l, err := Adopt(ul)
	if err != nil {
		ul.Close()
		return nil, err
	}
	l.lock, l.kept = lock, kept
	return l, nil
}

// Path is where it listens.
func (l *Listener) Path() string { return l.path }

// TryLock makes this agent the only one at the socket. Its error says who else serves
// it, with CodeExists, that others may enter its folder, or why the lock cannot be had.
// Once taken it stays.
func (l *Listener) TryLock() error {
	if err := privateDir(l.path); err != nil {
		return err
	}
	if l.lock != nil {
		return nil
	}
	lock, err := acquire(lockPath(l.path))
	if err == nil {
		l.lock = lock
	}
	return err
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
