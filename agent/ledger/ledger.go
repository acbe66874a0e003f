// Package ledger keeps the agent's book in a file of the state folder:
// credentials.json, mode 0600, replaced whole or not at all. It holds no secret.
// The folder has to be ours alone to write to.
//
// The file carries a version. An agent refuses a newer one without touching it,
// and reads every older one.
package ledger

import (
	"errors"
	"io/fs"
	"os"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/state"
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

func (f File) file() state.File {
	return state.File{Dir: f.Dir, Name: "credentials.json", Version: version,
		Lost: "restore it from a backup; without it the tokens have to be made anew (move it away first); it was not touched"}
}

func (f File) path() string { return f.file().Path() }

// Missing implements agent.Ledger.
func (f File) Missing() bool {
	_, err := os.Lstat(f.path())
	return errors.Is(err, fs.ErrNotExist)
}

// Load implements agent.Ledger.
func (f File) Load() (agent.Book, error) {
	var in form
	if err := f.file().Load(&in); err != nil {
		return agent.Book{}, err
	}
	return in.Book, nil
}

// Save implements agent.Ledger.
func (f File) Save(b agent.Book) error { return f.file().Save(form{version, b}) }
