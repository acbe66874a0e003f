package kubeconfig

import (
	"bytes"
	"os"
	"path/filepath"

	"github.com/cwagent/cwagent/agent/atomicfile"
	"github.com/cwagent/cwagent/ipc"
)

// Write replaces the file by text, whole or not at all, with the mode and owner
// of the old one. A symbolic link stays one: its target is replaced. If the file
// is no longer as it was read, Write refuses.
func (f *File) Write(text []byte) error {
	path, err := f.writable()
	if err != nil {
		return err
	}
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
	path, err := filepath.EvalSymlinks(f.Path)
	if err != nil {
		return "", refuse(f.Path, reason(err), "")
	}
	return path, nil
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
