package kubeconfig

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	lockWait = 2 * time.Second // kubectl holds its lock for milliseconds
	lockPoll = 20 * time.Millisecond
)

// lock takes the lock that kubectl's own writers take: a file beside this one
// that only one of them can make. Beside a symbolic link it is another one than
// beside the link's target, and a program may have been given either.
func (f *File) lock(target string) (unlock func(), err error) {
	first, err := f.lockBeside(f.Path)
	if err != nil || filepath.Base(f.Path) == filepath.Base(target) && sameFolder(f.Path, target) {
		return first, err
	}
	second, err := f.lockBeside(target)
	if err != nil {
		first()
		return nil, err
	}
	return func() { second(); first() }, nil
}

// Locked is the error of a Write that would not wait for a lock: nil if none stands
// in the way now.
func (f *File) Locked() error {
	path, err := f.writable()
	if err != nil {
		return err
	}
	for _, p := range []string{f.Path, path} {
		lock := p + ".lock"
		if _, err := os.Lstat(lock); err == nil && !removeStale(lock) {
			return f.inTheWay(lock)
		}
	}
	return nil
}

func (f *File) inTheWay(lock string) error {
	return refuse(f.Path, "kubectl's lock "+lock+" stands in the way", "if no kubectl is changing the file, remove the lock")
}

// SweepLock removes the lock that a killed cwagent has left beside the file at
// path, where kubectl finds it in its way. held, if a living one has it.
func SweepLock(path string) (held bool) {
	lock := path + ".lock"
	return !removeStale(lock) && atWork(lock)
}

// sameFolder reports whether two files are in one folder, which may have several
// names.
func sameFolder(a, b string) bool {
	x, err := os.Stat(filepath.Dir(a))
	y, err2 := os.Stat(filepath.Dir(b))
	return err == nil && err2 == nil && os.SameFile(x, y)
}

func (f *File) lockBeside(path string) (unlock func(), err error) {
	path += ".lock"
	for deadline := time.Now().Add(lockWait); ; time.Sleep(lockPoll) {
		l, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		switch {
		case err == nil:
			sign(l)
			return func() { os.Remove(path); l.Close() }, nil
		case !errors.Is(err, fs.ErrExist):
			return nil, refuse(f.Path, "no file can be made beside it: "+reason(err), "look at the folder's permissions and at the disk")
		case removeStale(path):
		case time.Now().After(deadline):
			return nil, f.inTheWay(path)
		}
	}
}
