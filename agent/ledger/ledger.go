// Package ledger keeps the agent's book in a file of the state folder:
// credentials.json, mode 0600, replaced whole or not at all. It holds no secret.
// The folder has to be ours alone to write to.
//
// The file carries a version. An agent refuses a newer one without touching it,
// and reads every older one.
//
// One agent at a time writes it: who has taken the folder by [File.Own]. The lock of
// the socket does not see to that, because two agents with two sockets may have one
// folder.
package ledger

import (
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/state"
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

func (f File) file() state.File {
	return state.File{Dir: f.Dir, Name: "credentials.json", Version: version,
		Lost: "restore it from a backup; without it the tokens have to be made anew (move it away first); it was not touched"}
}

func (f File) path() string { return f.file().Path() }

// Own makes this agent the one that reads and writes the file, until release or the
// end of the process. The error has CodeExists where another one is, which notices
// that somebody waits if it watches the folder: the lock has a new time then.
func (f File) Own() (release func(), err error) {
	release, busy, err := f.file().TryLock()
	if busy {
		_ = os.Chtimes(f.file().LockPath(), time.Time{}, time.Now())
		return nil, &ipc.Error{Code: ipc.CodeExists, What: "state folder " + f.Dir + ": another agent keeps its credentials there",
			Hint: "end that one, or set CWAGENT_STATE_DIR and CWAGENT_SOCKET for this one"}
	}
	return release, err
}

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
