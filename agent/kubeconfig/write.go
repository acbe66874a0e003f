package kubeconfig

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

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
	return f.RewriteWhile(edit, func() error { return nil })
}

// RewriteWhile is Rewrite for an edit that rests on something outside of the
// file. holds is asked under kubectl's lock, at the last moment: an error leaves
// the file as it is, and one of ipc.CodeChanged calls edit again.
func (f *File) RewriteWhile(edit func(*File) ([]byte, error), holds func() error) error {
	for n := 1; ; n++ {
		text, err := edit(f)
		if err != nil || bytes.Equal(text, f.text) {
			return err
		}
		if err = f.write(text, holds); !cameLate(err) || n == attempts {
			return err
		}
		if f, err = Read(f.Path); err != nil {
			return err
		}
	}
}

// cameLate reports whether a Write found that what it was meant for is no longer
// so.
func cameLate(err error) bool {
	var e *ipc.Error
	return errors.As(err, &e) && e.Code == ipc.CodeChanged
}

// Write replaces the file by text, whole or not at all, with the mode, owner and
// extended attributes of the old one. A symbolic link stays one: its target is
// replaced. If the file is no longer as it was read, Write refuses. It holds
// kubectl's lock meanwhile.
func (f *File) Write(text []byte) error { return f.write(text, func() error { return nil }) }

func (f *File) write(text []byte, holds func() error) error {
	path, err := f.writable()
	if err != nil {
		return err
	}
	unlock, err := f.lock(path)
	if err != nil {
		return err
	}
	defer unlock()
	before := func() error {
		if err := holds(); err != nil {
			return err
		}
		return f.unchanged()
	}
	err = atomicfile.Write(path, text, atomicfile.Options{Mode: f.Mode, Like: f.Info, Before: before})
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
