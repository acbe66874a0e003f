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

// openLocked opens the file, never through a link, and waits for its lock; the
// watchdog bounds the wait.
func openLocked(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
