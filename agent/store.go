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

	// Get returns the secret of that key. ErrNotFound: there is none.
	Get(ctx context.Context, key string) (ipc.Secret, error)

	// Put stores or replaces the secret of that key.
	Put(ctx context.Context, key string, s ipc.Secret) error

	// Delete removes the secret of that key; one that is absent is no error.
	Delete(ctx context.Context, key string) error
}

// ErrNotFound says that the store works and has no such secret.
var ErrNotFound = errors.New("not in the store")

// save puts a secret into the store and reads it back: there are keyrings that
// take a secret and forget it.
func save(ctx context.Context, s Store, key string, secret ipc.Secret) error {
	err := s.Put(ctx, key, secret)
	if err == nil {
		var got ipc.Secret
		if got, err = s.Get(ctx, key); err == nil && !got.Equal(secret) {
			err = errors.New("read back another value than was written")
		}
	}
	if err != nil {
		return &ipc.Error{
			Code: ipc.CodeStore,
			What: "store " + s.Info().Kind + ": " + err.Error(),
			Hint: "nothing was changed",
		}
	}
	return nil
}
