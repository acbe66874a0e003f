package agent

import (
	"context"
	"errors"

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

// The four answers of a store that does not give what it was asked for. A body
// wraps them; none is ever taken for another.
var (
	ErrNotFound = errors.New("not in the store")       // it works and has no such secret
	ErrLocked   = errors.New("the store is locked")    // a person has to unlock it
	ErrRefused  = errors.New("the store refused")      // it works and said no
	ErrAbsent   = errors.New("the store is not there") // nobody answers, or not in time
)

// save puts a secret into the store and reads it back: there are keyrings that
// take a secret and forget it. A key is new with each token, so that what a
// failure may have left behind can go without a look at it.
func save(ctx context.Context, s Store, key string, secret ipc.Secret) error {
	err := s.Put(ctx, key, secret)
	if err == nil {
		var got ipc.Secret
		if got, err = s.Get(ctx, key); err == nil && !got.Equal(secret) {
			err = errors.New("read back another value than was written")
		}
	}
	if err != nil {
		_ = s.Delete(ctx, key) // what is reported is the reason
		return &ipc.Error{
			Code: ipc.CodeStore,
			What: "store " + s.Info().Kind + ": " + err.Error(),
			Hint: "nothing was changed",
		}
	}
	return nil
}
