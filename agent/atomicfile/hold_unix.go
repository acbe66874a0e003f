//go:build unix

package atomicfile

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

const closesFirst = false

// rename is rename(2) and nothing before it: os.Rename looks at the new name first,
// and between its two names a file that is left behind may hold a secret.
func rename(from, to string) error {
	for {
		err := unix.Rename(from, to)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

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
