package store

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/state"
	"github.com/cwagent/cwagent/ipc"
)

const (
	guardVersion = 1

	// passphraseWork makes a guess at a passphrase cost about a second and 256 MiB. More
	// than twice that is refused: it would be a way to stop the agent.
	passphraseWork = 18
)

// FileFolder is where in the state folder the file store is.
func FileFolder(state string) string { return filepath.Join(state, "store") }

// A guard is the form of store.json: what opens the store. It is one file, so that
// there is a whole store or none.
type guard struct {
	Version int `json:"version"`

	// Identity is the path of a private key of SSH or age; empty: a passphrase.
	Identity string `json:"identity,omitempty"`

	// Key is the master key, encrypted to one of these: an age file, armored.
	Key string `json:"key"`
}

func formFile(dir string) state.File {
	return state.File{Dir: dir, Name: "store.json", Version: guardVersion, Lost: "without it no token in that folder can be read: bring it back from a backup"}
}

// loadGuard reads the form. Without one there is no store: ErrAbsent, and so it is in
// a folder in which others could have put another one.
func loadGuard(form state.File) (guard, error) {
	var g guard
	err := state.Private(filepath.Dir(form.Dir))
	if err == nil {
		err = form.Load(&g)
	}
	switch {
	case err != nil:
		return g, fmt.Errorf("%w: %w", agent.ErrAbsent, err)
	case g.Version == 0:
		return g, fmt.Errorf("%w: cwagent store init file makes one", agent.ErrAbsent)
	case g.Identity != "" && below(filepath.Dir(form.Dir), g.Identity):
		return g, fmt.Errorf("%w: its store.json names a key that lies beside the tokens: %s", agent.ErrAbsent, g.Identity)
	}
	return g, nil
}

// open returns the master key. passphrase is the store's, or that of the identity's
// file, which may have none: a wrong one is ErrRefused. What only a person can mend
// is ErrLocked.
func (g guard) open(passphrase ipc.Secret) (ipc.Secret, error) {
	with, err := g.identities(passphrase)
	if err != nil {
		return ipc.Secret{}, err
	}
	master, err := decrypt(armor.NewReader(strings.NewReader(g.Key)), with...)
	_, other := errors.AsType[*age.NoIdentityMatchError](err)
	switch {
	case err == nil && master != "":
		return ipc.NewSecret(master), nil
	case other && g.Identity == "":
		return ipc.Secret{}, errWrong
	case other:
		return ipc.Secret{}, fmt.Errorf("%w: %s is another key than the one it was made with", agent.ErrLocked, g.Identity)
	}
	return ipc.Secret{}, fmt.Errorf("%w: the key in its store.json is damaged", agent.ErrAbsent)
}

var errWrong = fmt.Errorf("%w: the passphrase is wrong", agent.ErrRefused)

// identities are what g can be opened with.
func (g guard) identities(passphrase ipc.Secret) ([]age.Identity, error) {
	if g.Identity == "" {
		return scryptIdentity(passphrase)
	}
	id, err := readIdentity(g.Identity, passphrase)
	if errors.Is(err, errProtected) {
		err = fmt.Errorf("%w: %s has a passphrase: cwagent unlock asks for it", agent.ErrLocked, g.Identity)
	} else if err != nil && !errors.Is(err, errWrong) {
		err = fmt.Errorf("%w: %w", agent.ErrLocked, err)
	}
	return id.with, err
}

func scryptIdentity(passphrase ipc.Secret) ([]age.Identity, error) {
	if passphrase.Empty() {
		return nil, errWrong
	}
	with, err := age.NewScryptIdentity(passphrase.Reveal())
	if err != nil {
		return nil, err
	}
	with.SetMaxWorkFactor(passphraseWork + 1)
	return []age.Identity{with}, nil
}

// seal encrypts a master key to those who may open the store.
func (g *guard) seal(master ipc.Secret, to []age.Recipient) error {
	var text bytes.Buffer
	w := armor.NewWriter(&text)
	err := encrypt(w, master.Reveal(), to...)
	if err == nil {
		err = w.Close()
	}
	g.Key = text.String()
	return err
}
