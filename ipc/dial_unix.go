//go:build unix

package ipc

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// crowded is the pause before another try where the agent's queue is full.
const crowded = 5 * time.Millisecond

// connect does without package net, whose start-up alone would be a tenth of
// the plugin's time (GODEBUG=inittrace=1 shows it): a non-blocking descriptor in
// an os.File has deadlines, too.
func connect(path string, deadline time.Time) (conn, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	unix.CloseOnExec(fd)
	err = unix.SetNonblock(fd, true)
	for err == nil {
		// On a Unix socket this connects at once or not at all: EAGAIN says
		// that the queue of connections to accept is full.
		err = unix.Connect(fd, &unix.SockaddrUnix{Name: path})
		switch {
		case err == nil:
			return os.NewFile(uintptr(fd), path), nil
		case errors.Is(err, unix.EAGAIN) && time.Now().After(deadline):
			err = os.ErrDeadlineExceeded
		case errors.Is(err, unix.EAGAIN):
			time.Sleep(crowded)
			err = nil
		case errors.Is(err, unix.EINTR):
			err = nil
		}
	}
	unix.Close(fd)
	return nil, os.NewSyscallError("connect", err)
}
