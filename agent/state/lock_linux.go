package state

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// tryLock takes a lock of the open file (fcntl(2), F_OFD_SETLK): NFS, Lustre and
// the like have it hold on every machine. The older F_SETLK would be the process's,
// which loses it as soon as any of its descriptors of that file is closed.
func tryLock(f *os.File) error {
	err := unix.FcntlFlock(f.Fd(), unix.F_OFD_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart})
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EACCES), errors.Is(err, unix.EINTR):
		return errLocked
	case errors.Is(err, unix.ENOLCK): // NFS whose server has no locks
		return errors.Join(err, errors.ErrUnsupported)
	}
	return err // ENOSYS and EOPNOTSUPP are errors.ErrUnsupported, as Lustre's without -o flock
}
