// Package ledger keeps the agent's book in a file of the state folder:
// credentials.json, mode 0600, replaced whole or not at all. It holds no secret.
// The folder has to be ours alone to write to.
//
// The file carries a version. An agent refuses a newer one without touching it,
// and reads every older one.
package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/atomicfile"
	"github.com/cwagent/cwagent/ipc"
)

// version of the file's form. 1: the first. 2: standby tokens; tokens that gave
// way without a key; Held, label, apiAccessToken and retired: who does not know
// them would drop them at the next change, and a standby token from the store.
const version = 2

// File is a ledger in a folder, which is made with mode 0700 when first written.
type File struct{ Dir string }

var _ agent.Ledger = File{}

// form is what the file holds.
type form struct {
	Version int `json:"version"`
	agent.Book
}

func (f File) path() string { return filepath.Join(f.Dir, "credentials.json") }

// Missing implements agent.Ledger.
func (f File) Missing() bool {
	_, err := os.Lstat(f.path())
	return errors.Is(err, fs.ErrNotExist)
}

// private refuses a folder in which somebody else could put another file in the
// place of ours: it says which servers get which token. A folder that is not
// there is fine.
func (f File) private() error {
	info, err := os.Lstat(f.Dir)
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
	return &ipc.Error{Code: ipc.CodeInvalid, What: "state folder " + f.Dir + ": " + why, Hint: hint}
}

// Load implements agent.Ledger.
func (f File) Load() (agent.Book, error) {
	if err := f.private(); err != nil {
		return agent.Book{}, err
	}
	b, err := os.ReadFile(f.path())
	if errors.Is(err, fs.ErrNotExist) {
		return agent.Book{}, nil
	}
	if err != nil {
		return agent.Book{}, fmt.Errorf("read state: %w", err)
	}
	var in form
	err = json.Unmarshal(b, &in)
	switch {
	case in.Version > version:
		return agent.Book{}, &ipc.Error{
			Code: ipc.CodeInvalid,
			What: fmt.Sprintf("state %s: it was written by a newer cwagent (form %d, this one knows %d)", f.path(), in.Version, version),
			Hint: "run the newer cwagent; the file was not touched",
		}
	case err != nil || in.Version < 1:
		return agent.Book{}, &ipc.Error{
			Code: ipc.CodeInvalid,
			What: "state " + f.path() + ": it cannot be read",
			Hint: "restore it from a backup; without it the tokens have to be made anew (move it away first); it was not touched",
		}
	}
	return in.Book, nil
}

// Save implements agent.Ledger.
func (f File) Save(b agent.Book) error {
	if err := f.private(); err != nil {
		return err
	}
	if err := os.MkdirAll(f.Dir, 0o700); err != nil {
		return fmt.Errorf("make state folder: %w", err)
	}
	text, err := json.MarshalIndent(form{version, b}, "", "  ")
	if err != nil {
		return fmt.Errorf("encode state: %w", err)
	}
	if err := atomicfile.Write(f.path(), append(text, '\n'), atomicfile.Options{Mode: 0o600}); err != nil {
		return fmt.Errorf("write state: %w", err)
	}
	return nil
}
