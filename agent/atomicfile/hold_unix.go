//go:build unix

package atomicfile

import (
	"os"

	"golang.org/x/sys/unix"
)

const closesFirst = false

// hold locks a temporary file. Where a file system has no locks nobody can tell
// whether one is abandoned, and none is removed.
func hold(f *os.File) { _ = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }

// abandoned reports whether nobody holds the file. It is never a link, and
// opening never waits: anybody may have put something there.
func abandoned(path string) bool {
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
}
