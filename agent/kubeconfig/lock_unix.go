//go:build unix

package kubeconfig

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// signature stands in a lock of ours, whose maker also holds the kernel's lock on
// it: kubectl's are empty. A cwagent that is killed leaves its lock in the way of
// kubectl, until the next one sees that nobody holds it.
const signature = "cwagent holds this while it writes\n"

// sign makes a lock one of ours. Where that fails it is one like kubectl's.
func sign(l *os.File) {
	if unix.Flock(int(l.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
		_, _ = l.WriteString(signature)
	}
}

// removeStale removes a lock that a killed cwagent has left, and reports whether
// it did. Of several who find it only the one that holds the kernel's lock
// removes it, and only while the name still leads to it: what another has made
// there since stays.
func removeStale(path string) bool {
	l, err := openLock(path)
	if err != nil {
		return false // kubectl's may not be opened
	}
	defer l.Close()
	if unix.Flock(int(l.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return false
	}
	there, err := os.Lstat(path)
	mine, err2 := l.Stat()
	if err != nil || err2 != nil || !os.SameFile(there, mine) || !mine.Mode().IsRegular() {
		return false
	}
	text, err := io.ReadAll(io.LimitReader(l, int64(len(signature))+1))
	return err == nil && string(text) == signature && os.Remove(path) == nil
}

// atWork reports whether somebody holds a lock of ours.
func atWork(path string) bool {
	l, err := openLock(path)
	if err != nil {
		return false
	}
	defer l.Close()
	return errors.Is(unix.Flock(int(l.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// openLock never waits and follows no link: anybody may have put something there.
func openLock(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
}
