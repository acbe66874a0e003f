package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// Store is where tokens rest between two runs of the agent. Its methods may
// block until ctx ends, so none is called while somebody waits for a token.
// Its bodies live in agent/store; one conformance suite there holds for all.
type Store interface {
	// Info says what kind of store this is, and why it was taken.
	Info() ipc.StoreInfo

	// Durable reports whether what is put survives a reboot.
	Durable() bool

	// Plaintext reports whether what is put would lie on disk unencrypted, as
	// far as that can be found out.
	Plaintext(ctx context.Context) bool

	// Get returns the secret of that key, or one of the four answers.
	Get(ctx context.Context, key string) (ipc.Secret, error)

	// Put stores or replaces the secret of that key.
	Put(ctx context.Context, key string, s ipc.Secret) error

	// Delete removes the secret of that key; one that is absent is no error.
	Delete(ctx context.Context, key string) error
}

// A StoreWatcher is a Store that can tell when it gives and takes again. It is watched
// only while it does not: a store that is well costs nothing.
type StoreWatcher interface {
	// Watch calls ready when the store can be used, at the beginning and each time
	// that it becomes so, until ctx ends.
	Watch(ctx context.Context, ready func())

	// Look asks whether it can be used: nil, or one of the four answers.
	Look(ctx context.Context) error
}

// An Unlocker is a Store that a secret of a person opens. Until then, after a start,
// it is ErrLocked.
type Unlocker interface {
	// Asks names the secret that is wanted; nothing where only somebody's word is, and
	// an empty one will do. An error says why none would open it.
	Asks(ctx context.Context) (what string, err error)

	// Unlock opens it. A wrong secret is ErrRefused and changes nothing; one that is
	// open stays so.
	Unlock(ctx context.Context, passphrase ipc.Secret) error
}

// The four answers of a store that does not give what it was asked for. A body
// wraps them; none is ever taken for another.
var (
	ErrNotFound = errors.New("not in the store")       // it works and has no such secret
	ErrLocked   = errors.New("the store is locked")    // a person has to unlock it
	ErrRefused  = errors.New("the store refused")      // it works and said no
	ErrAbsent   = errors.New("the store is not there") // nobody answers, or not in time
)

// A Silence is the ErrAbsent of a store that is there and does not answer.
type Silence struct{ Since time.Time }

func (s *Silence) Error() string        { return ErrAbsent.Error() + ": " + s.Words() }
func (s *Silence) Is(target error) bool { return target == ErrAbsent }

// Words are what can be said of any store.
func (s *Silence) Words() string { return "does not answer since " + clock(s.Since, time.Now()) }

// clock is the time of day, with the day if it is another one than today.
func clock(t, now time.Time) string {
	t, now = t.Local(), now.Local()
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format("15:04")
	}
	return t.Format("2 Jan 15:04")
}

// storeCall is how long one call of a store may take. A healthy keyring answers
// in milliseconds.
const storeCall = 3 * time.Second

// elsewhere stands in for a store that is not the one in which the tokens so far
// rest: the config names another by now. Whether a token is missing, and that
// one is deleted, cannot be learnt here.
type elsewhere struct {
	Store
	kind string // where they rest
}

func (e elsewhere) err() error { return fmt.Errorf("%w: the tokens rest in the %s", ErrAbsent, e.kind) }

func (e elsewhere) Get(context.Context, string) (ipc.Secret, error) { return ipc.Secret{}, e.err() }

func (e elsewhere) Put(context.Context, string, ipc.Secret) error { return e.err() }

func (e elsewhere) Delete(context.Context, string) error { return e.err() }

// save puts a secret into the store and reads it back: there are keyrings that
// take a secret and forget it. A key is new with each token, so that what a
// failure may have left behind can go without a look at it; where the store is
// not even there, the ledger knows the key and the next start sweeps it.
func save(ctx context.Context, s Store, key string, secret ipc.Secret) error {
	err := putBack(ctx, s, key, secret)
	if err == nil {
		return nil
	}
	if errors.Is(err, context.Canceled) {
		err = fmt.Errorf("%w: it does not answer in time", ErrAbsent)
	}
	if !outage(err) { // or this would only take as long again
		_ = remove(ctx, s, key) // what is reported is the reason
	}
	return &storeError{
		shown: &ipc.Error{Code: ipc.CodeStore, What: "store " + s.Info().Kind + ": " + err.Error(), Hint: storeHint(err)},
		cause: err,
	}
}

// A storeError is what a person reads of a store that did not take a token, and
// one of the four answers behind it.
type storeError struct {
	shown *ipc.Error
	cause error
}

func (e *storeError) Error() string   { return e.shown.Error() }
func (e *storeError) Unwrap() []error { return []error{e.shown, e.cause} }

func putBack(ctx context.Context, s Store, key string, secret ipc.Secret) error {
	ctx, cancel := context.WithTimeout(ctx, 2*storeCall)
	defer cancel()
	put, done := context.WithTimeout(ctx, storeCall)
	err := s.Put(put, key, secret)
	done()
	if err != nil {
		return err
	}
	got, err := s.Get(ctx, key)
	if err == nil && !got.Equal(secret) {
		return errors.New("read back another value than was written")
	}
	return err
}

// remove deletes a secret, even where the request that led to it has given up.
func remove(ctx context.Context, s Store, key string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeCall)
	defer cancel()
	return s.Delete(ctx, key)
}

func plaintext(ctx context.Context, s Store) bool {
	ctx, cancel := context.WithTimeout(ctx, storeCall)
	defer cancel()
	return s.Plaintext(ctx)
}

// storeHint says what a person can do about a store that did not take a token.
func storeHint(err error) string {
	if errors.Is(err, ErrLocked) {
		return "cwagent unlock, and try again; nothing was changed"
	}
	if errors.Is(err, ErrAbsent) {
		return "nothing was changed; gnome-keyring or KeePassXC is a keyring, cwagent store init file makes a store that needs none, and --ephemeral keeps a token in the agent's memory only"
	}
	return "nothing was changed; --ephemeral keeps a token in the agent's memory only"
}
