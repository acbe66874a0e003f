// Package ledger keeps the agent's book in a file of the state folder:
// credentials.json, mode 0600, replaced whole or not at all. It holds no secret.
// The folder has to be ours alone to write to.
//
// The file carries a version. An agent refuses a newer one without touching it,
// and reads every older one.
//
// Machines that share a HOME have one file, and an agent each. A lock that holds on
// all of them (see agent/state) is taken for each change; who has it compares the
// file with what it has read or written last, byte by byte: that costs a read of a
// few kilobytes, and believes no time, no size and no inode, which are reused and,
// over NFS, remembered. Where the file system has no locks only that look is left.
//
// On one machine one agent at a time has the folder: who has taken it by [File.Own].
// The lock of the socket does not see to that, because two agents with two sockets
// may have one folder.
package ledger

import (
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/state"
	"github.com/cwagent/cwagent/ipc"
)

// version of the file's form. 1: the first. 2: standby tokens; tokens that gave
// way without a key; Held, label, apiAccessToken and retired: who does not know
// them would drop them at the next change, and a standby token from the store. 3:
// host, elsewhere and moving: who does not know them would leave tokens behind in a
// store, or remove what is being moved.
const version = 3

// Name is the file's name in its folder.
const Name = "credentials.json"

// File is a ledger in the folder Dir, which is made with mode 0700 when first
// written. It is one agent's.
type File struct {
	Dir string

	// ours are the sums of what the file may hold without that somebody else has
	// written it: what was read or written last, and after an error of Save, which
	// may have happened all the same, what that has tried.
	ours [][sha256.Size]byte
}

var _ agent.Ledger = (*File)(nil)

// form is what the file holds.
type form struct {
	Version int `json:"version"`
	agent.Book
}

func (f *File) file() state.File {
	return state.File{Dir: f.Dir, Name: Name, Version: version,
		Lost: "restore it from a backup; without it the tokens have to be made anew (move it away first); it was not touched"}
}

func (f *File) path() string { return f.file().Path() }

// Own makes this agent the only one of this machine that has the folder, until
// the lock is released or the process ends. The error has CodeExists where another one has
// it, which notices that somebody waits if it watches the folder: the lock has a new
// time then.
func (f *File) Own() (*state.Held, error) {
	own := state.File{Dir: f.Dir, Name: "agent-" + state.Host()}
	held, busy, err := own.Hold()
	if busy {
		_ = os.Chtimes(own.LockPath(), time.Time{}, time.Now())
		return nil, &ipc.Error{Code: ipc.CodeExists, What: "state folder " + f.Dir + ": another agent keeps its credentials there",
			Hint: "end that one, or set CWAGENT_STATE_DIR and CWAGENT_SOCKET for this one"}
	}
	return held, err
}

// Lock implements agent.Ledger.
func (f *File) Lock(ctx context.Context) (unlock func(), err error) {
	unlock, err = f.file().LockWhile(ctx)
	if errors.Is(err, errors.ErrUnsupported) {
		return func() {}, nil // Own has said so
	}
	return unlock, err
}

// Changed implements agent.Ledger.
func (f *File) Changed() (bool, error) {
	b, err := f.file().Read()
	if err != nil || b == nil {
		return false, err
	}
	return !slices.Contains(f.ours, sha256.Sum256(b)), nil
}

// Missing implements agent.Ledger.
func (f *File) Missing() bool {
	_, err := os.Lstat(f.path())
	return errors.Is(err, fs.ErrNotExist)
}

// Load implements agent.Ledger.
func (f *File) Load() (agent.Book, error) {
	b, err := f.file().Read()
	if err != nil || b == nil {
		return agent.Book{}, err
	}
	var in form
	if err := f.file().Decode(b, &in); err != nil {
		return agent.Book{}, err
	}
	f.ours = [][sha256.Size]byte{sha256.Sum256(b)}
	return in.Book, nil
}

// Save implements agent.Ledger.
func (f *File) Save(b agent.Book) error {
	text, err := state.Encode(form{version, b})
	if err != nil {
		return err
	}
	// Where locks do not hold, or were lost while this machine slept.
	switch changed, err := f.Changed(); {
	case err != nil:
		return err
	case changed:
		return errors.New("state " + f.path() + ": another agent has written it meanwhile")
	}
	sum := sha256.Sum256(text)
	if err := f.file().Write(text); err != nil {
		f.ours = append(f.ours, sum)
		return err
	}
	f.ours = [][sha256.Size]byte{sum}
	return nil
}
