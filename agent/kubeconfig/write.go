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

// Write replaces the file by text, whole or not at all, with the mode and owner
// of the old one. A symbolic link stays one: its target is replaced. If the file
// is no longer as it was read, Write refuses. It holds kubectl's lock meanwhile.
func (f *File) Write(text []byte) error {
	path, err := f.writable()
	if err != nil {
		return err
	}
	unlock, err := f.lock()
	if err != nil {
		return err
	}
	defer unlock()
	err = atomicfile.Write(path, text, atomicfile.Options{Mode: f.Mode, Like: f.Info, Before: f.unchanged})
	if _, ours := err.(*ipc.Error); err == nil || ours {
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
// that only one of them can make.
func (f *File) lock() (unlock func(), err error) {
	path := f.Path + ".lock"
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

// unchanged makes sure that nobody wrote the file since it was read.
func (f *File) unchanged() error {
	now, err := os.ReadFile(f.Path)
	if err != nil {
		return err
	}
	if !bytes.Equal(now, f.text) {
		return refuse(f.Path, "it has changed while it was being imported", "nothing was written: run the command again")
	}
	return nil
}
