package kubeconfig

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/cwagent/cwagent/agent/atomicfile"
	"github.com/cwagent/cwagent/ipc"
)

// attempts is how often a file is edited that others write meanwhile. kubectl
// writes in milliseconds, and seldom twice.
const attempts = 8

// Rewrite reads the kubeconfig at path and writes what edit makes of it. See
// File.Rewrite.
func Rewrite(path string, edit func(*File) ([]byte, error)) error {
	f, err := Read(path)
	if err != nil {
		return err
	}
	return f.Rewrite(edit)
}

// Rewrite writes what edit makes of the file. If somebody else has written it
// since it was read it is read again, and edit is called again with what is
// there now; after a few times that is an error. edit is called without any lock
// held, since kubectl does not wait for its lock: it fails. A text that is the
// old one is not written.
func (f *File) Rewrite(edit func(*File) ([]byte, error)) error {
	for n := 1; ; n++ {
		text, err := edit(f)
		if err != nil || bytes.Equal(text, f.text) {
			return err
		}
		if err = f.Write(text); !cameLate(err) || n == attempts {
			return err
		}
		if f, err = Read(f.Path); err != nil {
			return err
		}
	}
}

// cameLate reports whether a Write found that the file is no longer as it was read.
func cameLate(err error) bool {
	var e *ipc.Error
	return errors.As(err, &e) && e.Code == ipc.CodeChanged
}

// Write replaces the file by text, whole or not at all, with the mode, owner and
// extended attributes of the old one. A symbolic link stays one: its target is
// replaced. If the file is no longer as it was read, Write refuses. It holds
// kubectl's lock meanwhile.
func (f *File) Write(text []byte) error {
	path, err := f.writable()
	if err != nil {
		return err
	}
	unlock, err := f.lock(path)
	if err != nil {
		return err
	}
	defer unlock()
	err = atomicfile.Write(path, text, atomicfile.Options{Mode: f.Mode, Like: f.Info, Before: f.unchanged})
	var ours *ipc.Error
	if err == nil || errors.As(err, &ours) {
		return err
	}
	return refuse(f.Path, "write: "+err.Error(), "the file is as it was; look at its folder and at the disk")
}

// Writable reports whether Write may be expected to succeed, for asking before
// anything else is changed.
func (f *File) Writable() error {
	_, err := f.writable()
	return err
}

func (f *File) writable() (string, error) {
	if f.Mode&0o200 == 0 {
		return "", refuse(f.Path, "it is read-only", "chmod u+w it, if it is yours to change")
	}
	if n := links(f.Info); n > 1 {
		return "", refuse(f.Path, fmt.Sprintf("it has %d names (hard links), and the others would keep the token", n), "remove the others: find -samefile shows them")
	}
	path, err := filepath.EvalSymlinks(f.Path)
	if err != nil {
		return "", refuse(f.Path, reason(err), "")
	}
	return path, nil
}

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
		l, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0)
		switch {
		case err == nil:
			l.Close()
			return func() { os.Remove(path) }, nil
		case !errors.Is(err, fs.ErrExist):
			return nil, refuse(f.Path, "no file can be made beside it: "+reason(err), "look at the folder's permissions and at the disk")
		case time.Now().After(deadline):
			return nil, refuse(f.Path, "kubectl's lock "+path+" stands in the way", "if no kubectl is changing the file, remove the lock")
		}
	}
}

// unchanged makes sure that nobody wrote the file since it was read. Who takes
// no lock may still do so between this look and the rename that follows at once.
func (f *File) unchanged() error {
	now, err := os.ReadFile(f.Path)
	if err != nil {
		return err
	}
	if !bytes.Equal(now, f.text) {
		return &ipc.Error{Code: ipc.CodeChanged, What: f.Path + ": it has changed while it was being edited", Hint: "nothing was written: run the command again"}
	}
	return nil
}
