//go:build unix

package credplugin

import (
	"os"

	"golang.org/x/sys/unix"
)

// openRead opens the file, never through a link, and does not wait for the
// other end of what somebody put there instead of a file.
func openRead(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
}

// openWrite opens the file, never through a link, and does not wait either.
func openWrite(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
}

// tryLock takes the file's lock if it is free.
func tryLock(f *os.File) bool {
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
}
