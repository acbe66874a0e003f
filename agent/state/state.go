// Package state keeps files of JSON in the state folder: mode 0600, replaced
// whole or not at all, in a folder that is ours alone to write to. They hold no
// secret in clear.
//
// Each file carries a version. A program refuses a newer one without touching
// it, and reads every older one.
package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cwagent/cwagent/agent/atomicfile"
	"github.com/cwagent/cwagent/ipc"
)

// A File is one file of the state folder, which is made with mode 0700 when
// first written.
type File struct {
	Dir  string
	Name string

	Version int    // of the form that is written
	Lost    string // hint: what the person loses with a file that cannot be read
}

// Path returns where the file is.
func (f File) Path() string { return filepath.Join(f.Dir, f.Name) }

// Private refuses a folder in which somebody else could put another file in the
// place of ours. One that is not there is fine.
func Private(dir string) error {
	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at state folder: %w", err)
	}
	why, hint := "", "chmod 700 it, or set CWAGENT_STATE_DIR to another one"
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		why, hint = "it is a symbolic link", "set CWAGENT_STATE_DIR to the folder itself"
	case !info.IsDir():
		why, hint = "it is not a folder", "set CWAGENT_STATE_DIR to another one"
	case !ours(info):
		why, hint = "it belongs to another user", "set CWAGENT_STATE_DIR to another one"
	case writable(info):
		why = fmt.Sprintf("other users may write to it (mode %o)", info.Mode().Perm())
	default:
		return nil
	}
	return &ipc.Error{Code: ipc.CodeInvalid, What: "state folder " + dir + ": " + why, Hint: hint}
}

// Load decodes the file into form; one that is not there leaves it as it is.
func (f File) Load(form any) error {
	b, err := f.Read()
	if err != nil || b == nil {
		return err
	}
	return f.Decode(b, form)
}

// Read returns what is in the file, or nil if it is not there.
func (f File) Read() ([]byte, error) {
	if err := Private(f.Dir); err != nil {
		return nil, err
	}
	b, err := os.ReadFile(f.Path())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read state: %w", err)
	case b == nil:
		b = []byte{}
	}
	return b, nil
}

// Decode decodes what Read has returned into form.
func (f File) Decode(b []byte, form any) error {
	var head struct {
		Version int `json:"version"`
	}
	err := json.Unmarshal(b, &head)
	if err == nil && head.Version > f.Version {
		return &ipc.Error{
			Code: ipc.CodeInvalid,
			What: fmt.Sprintf("state %s: it was written by a newer cwagent (form %d, this one knows %d)", f.Path(), head.Version, f.Version),
			Hint: "run the newer cwagent; the file was not touched",
		}
	}
	if err != nil || head.Version < 1 || json.Unmarshal(b, form) != nil {
		return &ipc.Error{Code: ipc.CodeInvalid, What: "state " + f.Path() + ": it cannot be read", Hint: f.Lost}
	}
	return nil
}

// Save replaces the file by form, which says its version itself.
func (f File) Save(form any) error {
	b, err := Encode(form)
	if err != nil {
		return err
	}
	return f.Write(b)
}

// Encode returns the text of a form, as Write wants it.
func Encode(form any) ([]byte, error) {
	text, err := json.MarshalIndent(form, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode state: %w", err)
	}
	return append(text, '\n'), nil
}

// Write replaces the file by b.
func (f File) Write(b []byte) error {
	if err := f.folder(); err != nil {
		return err
	}
	if err := atomicfile.Write(f.Path(), b, atomicfile.Options{Mode: 0o600}); err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	return nil
}

// folder makes the folder, if it is not there.
func (f File) folder() error {
	if err := Private(f.Dir); err != nil {
		return err
	}
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		return fmt.Errorf("make state folder: %w", err)
	}
	return nil
}
