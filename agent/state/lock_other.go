//go:build unix && !linux

package state

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// tryLock takes an flock. These systems have no fcntl(2) lock that is the open
// file's, or x/sys does not know it; whether an flock holds on other machines is for
// their NFS to say.
func tryLock(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR) {
		return errLocked
	}
	return err
}
