package store

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// keyringService is the service of our items; with the key as their user,
// Seahorse shows "Password for 'prod cwtoken-3f9a1c7e #5f3a9c01' on 'cwagent'".
const keyringService = "cwagent"

// keyringWait is long for a keyring, which answers in milliseconds, and short
// for a person.
const keyringWait = 3 * time.Second

// Keyring keeps secrets in the keyring of the OS: the Secret Service on Linux,
// the Keychain on macOS, the Credential Manager on Windows. On Linux it opens
// no prompt and starts no bus: a collection that is locked is ErrLocked.
//
// A call returns when its ctx ends, and one at a time is with the keyring. A
// Put that was given up may still be carried out later.
type Keyring struct {
	why   string
	vault vault
	calls *bounded
}

var _ agent.Store = (*Keyring)(nil)

// KeyringConfig is what a Keyring can be told; its zero value is right outside
// of tests.
type KeyringConfig struct {
	// Why says for Info why this store was taken.
	Why string

	// Getenv is the environment that the session bus and the keyring files are
	// looked for in, at each call again; nil means os.Getenv.
	Getenv func(string) string

	// Limit is the longest value, in bytes, that goes into one item; longer ones
	// are split. Zero means what the keyring of this OS takes.
	Limit int

	// Wait is the deadline of a call whose ctx has none; zero means 3 s.
	Wait time.Duration
}

// A vault is the keyring of one OS.
type vault interface {
	// enter runs do while the keyring is there and not locked.
	enter(ctx context.Context, do func(items) error) error

	// limit is the length in bytes of the longest value of an item.
	limit() int

	// examine finds out what this keyring is; known is what examine, or a call
	// on its way, found last, without waiting for anything.
	examine(ctx context.Context) (nature, error)
	known() nature

	// prompt is that of Keyring. The person has until ctx ends, the keyring wait for
	// each answer of its own.
	prompt(ctx context.Context, wait time.Duration) error
}

// items are what is in a vault, by name.
type items interface {
	read(ctx context.Context, name string) (string, error)
	write(ctx context.Context, name, value string) error
	remove(ctx context.Context, name string) error // ErrNotFound if there is none
}

// nature is what can be known about a keyring.
type nature struct {
	is        string // for a person
	plaintext bool
}

// NewKeyring returns the keyring of the OS. It does not touch it yet.
func NewKeyring(c KeyringConfig) *Keyring {
	if c.Getenv == nil {
		c.Getenv = os.Getenv
	}
	return newKeyring(newVault(c.Getenv), c)
}

func newKeyring(v vault, c KeyringConfig) *Keyring {
	if c.Limit == 0 {
		c.Limit = v.limit()
	}
	if c.Wait == 0 {
		c.Wait = keyringWait
	}
	return &Keyring{why: c.Why, vault: v, calls: newBounded(&parts{vault: v, limit: c.Limit}, c.Wait)}
}

// Info implements agent.Store. It does not wait: Plaintext is what the last
// call found.
func (k *Keyring) Info() ipc.StoreInfo {
	n := k.vault.known()
	why := n.is
	if k.why != "" {
		why = k.why + ": " + n.is
	}
	return ipc.StoreInfo{Kind: "keyring", Why: why, Plaintext: n.plaintext, OneHost: true}
}

// Durable implements agent.Store.
func (*Keyring) Durable() bool { return true }

// Plaintext reports whether what is put into the keyring now would lie on disk
// unencrypted, as far as that can be seen; ask it before the first Put. Without
// an answer from the keyring it is what was found last.
func (k *Keyring) Plaintext(ctx context.Context) bool {
	n, err := within(ctx, k.calls, k.vault.examine)
	if err != nil {
		n = k.vault.known()
	}
	return n.plaintext
}

// Get implements agent.Store.
func (k *Keyring) Get(ctx context.Context, key string) (ipc.Secret, error) {
	s, err := k.calls.Get(ctx, key)
	if err != nil {
		return ipc.Secret{}, fmt.Errorf("read keyring item %q: %w", key, err)
	}
	return s, nil
}

// Put implements agent.Store.
func (k *Keyring) Put(ctx context.Context, key string, s ipc.Secret) error {
	if err := k.calls.Put(ctx, key, s); err != nil {
		return fmt.Errorf("write keyring item %q: %w", key, err)
	}
	return nil
}

// Delete implements agent.Store.
func (k *Keyring) Delete(ctx context.Context, key string) error {
	if err := k.calls.Delete(ctx, key); err != nil {
		return fmt.Errorf("delete keyring item %q: %w", key, err)
	}
	return nil
}

// Prompt has the keyring ask the person at the screen to unlock it, or to choose a
// password where it holds no collection yet, and waits for the answer until ctx
// ends. Where there is nothing to ask it asks nothing. It is for a program that
// this person has just called, not for the agent.
//
// After nil the keyring can be used. A dismissed prompt is ErrRefused, one that
// nobody answered ErrLocked; the window of gnome-keyring stays then, and still
// unlocks it. ErrAbsent: there is no keyring, it does not answer itself, or nothing
// can show its prompt, as over ssh.
func (k *Keyring) Prompt(ctx context.Context) error {
	if err := k.vault.prompt(ctx, k.calls.wait); err != nil {
		return fmt.Errorf("unlock the keyring: %w", err)
	}
	return nil
}
