// Package rewritten notes which kubeconfigs import has rewritten and how to undo
// it: rewritten.json in the state folder. No secret is in it, nor a hash of one,
// only of whole files: a token goes back into a kubeconfig from the store that it
// went to.
//
// The agent and the commands change it under a lock, so that none loses what
// another has noted.
package rewritten

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/agent/state"
)

// version of the file's form. 1: the first. 2: with what a merge has added, edits
// between imports, and restores that have begun. 3: with which tokens were put back.
const version = 3

// A File is a kubeconfig that import has rewritten.
type File struct {
	Path   string            `json:"path"`   // absolute, symbolic links resolved
	SHA256 string            `json:"sha256"` // of the text as import left it, see Sum
	At     time.Time         `json:"at"`
	Users  []kubeconfig.Undo `json:"users"`

	// Merged is what import --merge has put into it.
	Merged []kubeconfig.Added `json:"merged,omitempty"`

	// Edited says that somebody else has written it between the first import and
	// the last.
	Edited bool `json:"edited,omitempty"`

	// Restored is when the person put tokens back, and Returned which: they are meant
	// to be there. Without Returned, as before form 3, all tokens of the file are.
	Restored *time.Time `json:"restored,omitempty"`
	Returned []Returned `json:"returned,omitempty"`

	// Restoring is the SHA256 of the text with which the person is putting Returning
	// back. A restore that is killed leaves it: only the file tells whether it had
	// come to write, see Folder.Record.
	Restoring string     `json:"restoring,omitempty"`
	Returning []Returned `json:"returning,omitempty"`
}

// A Returned is a token that was put back.
type Returned struct {
	User  string `json:"user"`            // that has it, by its name now
	Label string `json:"label,omitempty"` // of the token; empty: whichever the user has
}

// PutBack returns the token that the person has put back for a user, if any.
func (f File) PutBack(user string) (t Returned, is bool) {
	if f.Restored == nil {
		return Returned{}, false
	}
	i := slices.IndexFunc(f.Returned, func(t Returned) bool { return t.User == user })
	if i < 0 {
		return Returned{User: user}, len(f.Returned) == 0
	}
	return f.Returned[i], true
}

// Imported reports whether there is something in the file that restore undoes.
func (f File) Imported() bool { return len(f.Users)+len(f.Merged) > 0 }

// Sum is the SHA256 of a text, as a File has it.
func Sum(text []byte) string {
	s := sha256.Sum256(text)
	return hex.EncodeToString(s[:])
}

// Folder is the state folder, which is made with mode 0700 when first written.
type Folder struct{ Dir string }

// form is what the file holds.
type form struct {
	Version int    `json:"version"`
	Files   []File `json:"files"`
}

func (f Folder) file() state.File {
	return state.File{Dir: f.Dir, Name: "rewritten.json", Version: version,
		Lost: "restore it from a backup; without it cwagent restore brings tokens back, but not every byte (move it away first); it was not touched"}
}

// Load returns the files that were noted: none if nothing ever was.
func (f Folder) Load() ([]File, error) {
	var in form
	err := f.file().Load(&in)
	if err != nil {
		return nil, err
	}
	return in.Files, nil
}

// Update puts what change makes of the files in their place, while nobody else
// can. An error of change leaves the file alone and is returned as it is. change
// must not ask anybody anything: others are waiting.
func (f Folder) Update(change func([]File) ([]File, error)) error {
	file := f.file()
	unlock, err := file.Lock()
	if err != nil {
		return err
	}
	defer unlock()
	files, err := f.Load()
	if err != nil {
		return err
	}
	if files, err = change(files); err != nil {
		return err
	}
	return file.Save(form{version, files})
}
