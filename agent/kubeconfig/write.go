package kubeconfig

import (
	"bytes"
	"os"
	"path/filepath"

	"github.com/cwagent/cwagent/ipc"
)

// Write replaces the file by text, whole or not at all: a temporary file in the
// same folder, with the mode and owner of the old one, synced, renamed over it.
// A symbolic link stays one: its target is replaced. If the file is no longer
// as it was read, Write refuses.
func (f *File) Write(text []byte) error {
	path, err := f.writable()
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".cwagent-*")
	if err != nil {
		return refuse(f.Path, "no file can be made beside it: "+reason(err), "look at the folder's permissions and at the disk")
	}
	defer os.Remove(tmp.Name()) // after the rename there is nothing to remove
	err = f.fill(tmp, text)
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = f.unchanged()
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err == nil {
		syncDir(filepath.Dir(path))
		return nil
	}
	if _, ours := err.(*ipc.Error); ours {
		return err
	}
	return refuse(f.Path, "write: "+reason(err), "the file is as it was; look at its folder and at the disk")
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

// fill gives the temporary file its mode before it gets contents.
func (f *File) fill(tmp *os.File, text []byte) error {
	if err := tmp.Chmod(f.Mode); err != nil {
		return err
	}
	if err := copyOwner(tmp, f.Info); err != nil {
		return err
	}
	if _, err := tmp.Write(text); err != nil {
		return err
	}
	return tmp.Sync()
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

// syncDir makes a rename durable where that is possible: a folder need not be
// readable, and Windows cannot sync one. It is no error because the file is
// replaced by then: a caller that took it for failed would forget the token.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		d.Close()
	}
}
