package state

import (
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
// process nor another goroutine. The kernel drops the lock with the process,
// so that none is ever stale; its file stays, because removing it would let two
// in. Do not ask anybody anything while you hold it.
func (f File) Lock() (unlock func(), err error) { return f.lock(lockWait) }

// LockPath returns where the lock is.
func (f File) LockPath() string { return f.Path() + ".lock" }

// TryLock is Lock for who has something else to do meanwhile: busy, if somebody
// else has the lock.
func (f File) TryLock() (unlock func(), busy bool, err error) {
	unlock, err = f.lock(0)
	if errors.Is(err, errLocked) {
		return nil, true, nil
	}
	return unlock, false, err
}

func (f File) lock(wait time.Duration) (unlock func(), err error) {
	if err := f.folder(); err != nil {
		return nil, err
	}
	path := f.LockPath()
	l, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock state: %w", err)
	}
	for deadline := time.Now().Add(wait); ; time.Sleep(lockPoll) {
		err := tryLock(l)
		if err == nil {
			return func() { l.Close() }, nil
		}
		if !errors.Is(err, errLocked) {
			l.Close()
			return nil, fmt.Errorf("lock state %s: %w", path, err)
		}
		if wait == 0 {
			l.Close()
			return nil, errLocked
		}
		if time.Now().After(deadline) {
			l.Close()
			return nil, &ipc.Error{Code: ipc.CodeInvalid, What: "state " + f.Path() + ": another cwagent is changing it and does not come to an end",
				Hint: "look for a cwagent that hangs, end it and try again"}
		}
	}
}
