package kubeconfig

import (
	"bytes"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// An Undo is what Restore needs to bring one user back as it was. It holds no
// token and nothing derived from one: only how the token was written down.
type Undo struct {
	Credential string `json:"credential"`
	Label      string `json:"label,omitempty"` // of the token that stood there; the caller knows it
	User       string `json:"user"`            // its name now
	Was        string `json:"was,omitempty"`   // its name before, if it was renamed

	Token      Place       `json:"token"`
	Name       Swap        `json:"name,omitzero"`
	References []Reference `json:"references,omitempty"`
}

// A Place is where a token stood: Key and the token gave way to Exec, and Block
// was written at the end of that line.
type Place struct {
	Key   string `json:"key"` // "token: " as it was written
	Exec  string `json:"exec"`
	Block string `json:"block,omitempty"` // empty in a flow mapping

	Quote   string   `json:"quote,omitempty"` // of the token
	Bare    bool     `json:"bare,omitempty"`  // it had no quotes although we would have given it some
	Escapes []Escape `json:"escapes,omitempty"`
}

// Command returns the program that was written in the token's place; empty where
// that cannot be read.
func (u Undo) Command() string {
	var entry struct {
		Exec execEntry `yaml:"exec"`
	}
	text := u.Token.Exec + u.Token.Block
	if yaml.Unmarshal([]byte(text), &entry) != nil || entry.Exec.Command == "" {
		_ = yaml.Unmarshal([]byte("{"+text+"}"), &entry) // in JSON no blank stands behind the colon
	}
	return entry.Exec.Command
}

// A Swap is a name as it was written and what stands there instead.
type Swap struct {
	Old string `json:"old"`
	New string `json:"new"`
}

// A Reference is a context's naming of the user.
type Reference struct {
	Context string `json:"context"`
	Swap
}

// checkUndo refuses an edit whose undo data would hold a token: somebody may
// have named a user after it.
func (f *File) checkUndo(undo []Undo, changes []Change) error {
	if named := newFinder(f, changes).all(names(undo)); len(named) > 0 {
		return f.refuseName(named[0])
	}
	return nil
}

// names are the words of the file that undo data repeat.
func names(undo []Undo) []byte {
	var all bytes.Buffer
	for _, u := range undo {
		fmt.Fprintf(&all, "%s\n%s\n%s\n%s\n", u.Was, u.User, u.Token.Key, u.Name.Old)
		for _, r := range u.References {
			fmt.Fprintf(&all, "%s\n%s\n", r.Context, r.Old)
		}
	}
	return all.Bytes()
}

func (f *File) refuseName(user int) error {
	u := &f.Users[user]
	return f.refuseLine(u.Line, fmt.Sprintf("the token of user %d stands in a name as well", u.index+1), "rename what bears the token's name, then import again")
}
