package store

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"filippo.io/age"

	"github.com/cwagent/cwagent/agent/state"
	"github.com/cwagent/cwagent/ipc"
)

// minPassphrase is how many characters the passphrase of a store has at least.
const minPassphrase = 8

// A FileInit says how a file store is made.
type FileInit struct {
	State string // the state folder: the store is FileFolder of it

	// Identity is the path of a private key of SSH (ed25519, RSA), or of an identity of
	// age; absolute, and outside of the state folder: a key does not lie beside what it
	// opens. Empty: a passphrase guards the store.
	Identity string

	// Ask gets a passphrase: the store's, or that of the file of Identity. It is not
	// asked for an identity that has none.
	Ask func() (ipc.Secret, error)

	work int // of a passphrase; zero: passphraseWork
}

// InitFile makes a file store, and reports whether a passphrase is needed to open
// it. Nothing is written before it was found that what is to open it does. A store
// that is there is refused; interrupted, there is none.
func InitFile(c FileInit) (asks bool, err error) {
	form := formFile(FileFolder(c.State))
	if err := vacant(form); err != nil {
		return false, err
	}
	g := guard{Version: guardVersion}
	to, passphrase, err := c.recipients(&g)
	if err != nil {
		return false, err
	}
	master := newMaster()
	if err := g.seal(master, to); err != nil {
		return false, fmt.Errorf("encrypt the key of the file store: %w", err)
	}
	if got, err := g.open(passphrase); err != nil || !got.Equal(master) {
		return false, fmt.Errorf("file store: it does not open again: %w", err)
	}
	unlock, err := form.Lock()
	if err != nil {
		return false, err
	}
	defer unlock()
	if err := vacant(form); err != nil { // somebody was faster
		return false, err
	}
	return !passphrase.Empty(), form.Save(g)
}

// vacant refuses a folder that has a store, or items of one.
func vacant(form state.File) error {
	if err := state.Private(filepath.Dir(form.Dir)); err != nil {
		return err
	}
	var g guard
	if err := form.Load(&g); err != nil {
		return err
	}
	if g.Version != 0 {
		return invalid("file store: there is one already: "+form.Dir, "cwagent store shows how it is")
	}
	if items, _ := filepath.Glob(filepath.Join(form.Dir, "*"+itemSuffix)); len(items) > 0 {
		return invalid(fmt.Sprintf("file store: %s has %d tokens in it and no store.json, which opens them", form.Dir, len(items)),
			"bring store.json back from a backup, or move the folder away")
	}
	return nil
}

// recipients are whom the master key of g is encrypted to, and the passphrase by
// which they open it, empty where there is none.
func (c FileInit) recipients(g *guard) ([]age.Recipient, ipc.Secret, error) {
	if c.Identity == "" {
		passphrase, err := c.Ask()
		if err != nil {
			return nil, ipc.Secret{}, err
		}
		to, err := c.scryptRecipient(passphrase)
		return []age.Recipient{to}, passphrase, err
	}
	if err := c.outside(); err != nil {
		return nil, ipc.Secret{}, err
	}
	g.Identity = c.Identity
	var passphrase ipc.Secret
	id, err := readIdentity(c.Identity, passphrase)
	if errors.Is(err, errProtected) {
		if passphrase, err = c.Ask(); err != nil {
			return nil, ipc.Secret{}, err
		}
		if passphrase.Empty() {
			err = errWrong
		} else {
			id, err = readIdentity(c.Identity, passphrase)
		}
	}
	switch {
	case errors.Is(err, errWrong):
		return nil, ipc.Secret{}, invalid("file store: the passphrase of "+c.Identity+" is wrong", "try again; nothing was changed")
	case err != nil:
		return nil, ipc.Secret{}, invalid("file store: "+err.Error(), "a private key of SSH (ed25519 or RSA), or an identity of age (age-keygen)")
	}
	return id.to, passphrase, nil
}

func (c FileInit) scryptRecipient(passphrase ipc.Secret) (age.Recipient, error) {
	if utf8.RuneCountInString(passphrase.Reveal()) < minPassphrase {
		return nil, invalid(fmt.Sprintf("file store: a passphrase of less than %d characters is too short", minPassphrase),
			"several words are easy to remember; nothing was changed")
	}
	to, err := age.NewScryptRecipient(passphrase.Reveal())
	if err != nil {
		return nil, err
	}
	work := c.work
	if work == 0 {
		work = passphraseWork
	}
	to.SetWorkFactor(work)
	return to, nil
}

// outside refuses an identity in the state folder, also by way of links.
func (c FileInit) outside() error {
	if below(c.State, c.Identity) {
		return invalid("file store: "+c.Identity+" lies beside the tokens that it is to guard", "a key in another place, best on another disk, or a passphrase")
	}
	return nil
}

// below reports whether path is in the folder, wherever links lead. One that is not
// there is nowhere: reading it says so.
func below(folder, path string) bool {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return false
	}
	if r, err := filepath.EvalSymlinks(folder); err == nil {
		folder = r
	}
	in, err := filepath.Rel(folder, real)
	return err == nil && in != ".." && !strings.HasPrefix(in, ".."+string(os.PathSeparator))
}

// newMaster is 256 random bits, as text: it is a passphrase to age.
func newMaster() ipc.Secret {
	b := make([]byte, 32)
	rand.Read(b) // never fails
	return ipc.NewSecret(base64.RawURLEncoding.EncodeToString(b))
}

func invalid(what, hint string) error {
	return &ipc.Error{Code: ipc.CodeInvalid, What: what, Hint: hint}
}
