package state

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

const (
	lockWait = 5 * time.Second // a holder reads and writes one file
	lockPoll = 5 * time.Millisecond
)

var errLocked = errors.New("locked")

// Lock makes sure that nobody else changes the file until unlock: neither another
// process, also on another machine that has the folder, nor another goroutine. The
// kernel drops the lock with the process, so that none is ever stale; its file
// stays, because removing it would let two in. Do not ask anybody anything while you
// hold it.
func (f File) Lock() (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(context.Background(), lockWait)
	defer cancel()
	return f.LockWhile(ctx)
}

// LockWhile is Lock for who waits as long as ctx lives.
func (f File) LockWhile(ctx context.Context) (unlock func(), err error) {
	again := time.NewTicker(lockPoll)
	defer again.Stop()
	for {
		unlock, busy, err := f.TryLock()
		if !busy {
			return unlock, err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return nil, &ipc.Error{Code: ipc.CodeInvalid, What: "state " + f.Path() + ": another cwagent is changing it and does not come to an end",
				Hint: "look for a cwagent that hangs, end it and try again"}
		}
	}
}

// LockPath returns where the lock is.
func (f File) LockPath() string { return f.Path() + ".lock" }

// TryLock is Lock for who has something else to do meanwhile: busy, if somebody
// else has the lock. An error that wraps errors.ErrUnsupported is a file system's
// that has no locks.
func (f File) TryLock() (unlock func(), busy bool, err error) {
	h, busy, err := f.Hold()
	if h == nil {
		return nil, busy, err
	}
	return h.Release, false, nil
}

// A Held is a lock that somebody has. It is bound to an open file, and so outlives a
// program that executes another one and leaves that open.
type Held struct{ File *os.File }

// Release gives the lock back.
func (h *Held) Release() { h.File.Close() }

// Hold is TryLock for who wants to hand the lock on; nil if it cannot be had.
func (f File) Hold() (h *Held, busy bool, err error) {
	if err := f.folder(); err != nil {
		return nil, false, err
	}
	path := f.LockPath()
	l, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, false, fmt.Errorf("lock state: %w", err)
	}
	switch err := tryLock(l); {
	case err == nil:
		return &Held{l}, false, nil
	case errors.Is(err, errLocked):
		l.Close()
		return nil, true, nil
	default:
		l.Close()
		return nil, false, fmt.Errorf("lock state %s: %w", path, err)
	}
}
