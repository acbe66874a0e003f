package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/atomicfile"
	"github.com/cwagent/cwagent/agent/state"
	"github.com/cwagent/cwagent/ipc"
)

// itemSuffix ends the name of an item's file.
const itemSuffix = ".age"

// files is what a File does with its folder. Its methods may hang as the disk does.
type files struct {
	form state.File

	mu      sync.Mutex
	master  ipc.Secret    // empty: locked
	opens   string        // the encrypted key that it is from: another one is another store
	shut    bool          // lock was called, and nobody has unlocked it since
	changed chan struct{} // closed when a person locks or unlocks

	rest func(ipc.Secret) ipc.Secret // where the master key rests; may be nil
}

// enter returns the master key, if there is a store and it is open, or can be opened
// without a person.
func (f *files) enter() (ipc.Secret, error) {
	g, err := loadGuard(f.form)
	if err != nil {
		return ipc.Secret{}, err
	}
	return f.enterBy(g)
}

func (f *files) enterBy(g guard) (ipc.Secret, error) {
	f.mu.Lock()
	master, shut := f.master, f.shut
	other := f.opens != "" && f.opens != g.Key
	if f.opens != g.Key {
		master = ipc.Secret{}
	}
	f.mu.Unlock()
	switch {
	case other && g.Identity != "":
		return ipc.Secret{}, fmt.Errorf("%w: another store has been put in its place: cwagent unlock, if that is meant", agent.ErrLocked)
	case !master.Empty():
		return master, nil
	case shut || g.Identity == "":
		return ipc.Secret{}, fmt.Errorf("%w: cwagent unlock asks for its passphrase", agent.ErrLocked)
	}
	master, err := g.open(ipc.Secret{})
	if err == nil {
		f.keep(g, master, false)
	}
	return master, err
}

// asks names what opens the store: its passphrase, or that of a key; nothing where the
// key has none.
func (f *files) asks() (string, error) {
	g, err := loadGuard(f.form)
	if err != nil {
		return "", err
	}
	if g.Identity == "" {
		return "passphrase of the file store", nil
	}
	_, err = readIdentity(g.Identity, ipc.Secret{})
	if errors.Is(err, errProtected) {
		return "passphrase of " + g.Identity, nil
	}
	return "", err
}

// unlock opens the store with what a person has typed, unless ctx ends meanwhile.
func (f *files) unlock(ctx context.Context, passphrase ipc.Secret) error {
	g, err := loadGuard(f.form)
	if err != nil {
		return err
	}
	master, err := g.open(passphrase)
	if err == nil && ctx.Err() == nil {
		f.keep(g, master, true)
	}
	return err
}

// keep keeps the master key of g. What opens by itself does so no more once it was
// locked, even if it was about to; and it is no news, as somebody was just looking.
func (f *files) keep(g guard, master ipc.Secret, person bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if person && (f.shut || f.opens != g.Key) {
		f.shut = false
		f.tellLocked()
	}
	if !f.shut {
		if f.rest != nil {
			master = f.rest(master)
		}
		f.master, f.opens = master, g.Key
	}
}

func (f *files) lock() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.master, f.opens, f.shut = ipc.Secret{}, "", true
	f.tellLocked()
}

func (f *files) tellLocked() {
	close(f.changed)
	f.changed = make(chan struct{})
}

// turned returns what is closed when a person locks or unlocks the store next.
func (f *files) turned() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.changed
}

// path is where the item of that key is. Keys hold what no file's name may.
func (f *files) path(key string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(f.form.Dir, hex.EncodeToString(sum[:])+itemSuffix)
}

// Get, Put and Delete are those of agent.Store.
func (f *files) Get(_ context.Context, key string) (ipc.Secret, error) {
	master, err := f.enter()
	if err != nil {
		return ipc.Secret{}, err
	}
	sealed, err := readAtMost(f.path(key), maxItem)
	if errors.Is(err, fs.ErrNotExist) {
		// The whole folder may have gone since: that is another answer.
		if _, err := loadGuard(f.form); err != nil {
			return ipc.Secret{}, err
		}
		return ipc.Secret{}, agent.ErrNotFound
	}
	if errors.Is(err, errTooLong) {
		return ipc.Secret{}, damaged(f.path(key), "it is damaged")
	}
	if err != nil {
		return ipc.Secret{}, fmt.Errorf("%w: %w", agent.ErrAbsent, err)
	}
	return openItem(master, f.path(key), key, sealed)
}

func (f *files) Put(_ context.Context, key string, s ipc.Secret) error {
	master, err := f.enter()
	if err != nil {
		return err
	}
	sealed, err := sealItem(master, key, s)
	if err == nil && len(sealed) > maxItem {
		err = fmt.Errorf("%w: %d bytes are too long for it", agent.ErrRefused, len(s.Reveal()))
	}
	if err != nil {
		return err
	}
	return written(atomicfile.Write(f.path(key), sealed, atomicfile.Options{Mode: 0o600}))
}

func (f *files) Delete(_ context.Context, key string) error {
	if _, err := f.enter(); err != nil { // all of a locked store is locked
		return err
	}
	return written(atomicfile.Remove(f.path(key)))
}

// written is the answer to a change of the folder that went wrong.
func written(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w", agent.ErrAbsent, err)
	}
	return fmt.Errorf("%w: %w", agent.ErrRefused, err)
}
