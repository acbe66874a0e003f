//go:build darwin || windows

package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/cwagent/cwagent/agent"
)

// native is the vault of zalando/go-keyring: /usr/bin/security on macOS, the
// Credential Manager on Windows. Nothing of it heeds a ctx: bounded does.
type native struct{}

func newVault(func(string) string) vault { return native{} }

func (native) prompt(ctx context.Context, _ time.Duration) error { return unlock(ctx) }

func (n native) enter(_ context.Context, do func(items) error) error { return do(n) }

func (native) limit() int { return nativeLimit }

// Neither keyring has a form in clear.
func (native) known() nature                           { return nature{is: nativeIs} }
func (native) examine(context.Context) (nature, error) { return nature{is: nativeIs}, nil }

func (native) read(_ context.Context, name string) (string, error) {
	value, err := keyring.Get(keyringService, name)
	return value, nativeAnswer(err)
}

func (native) write(_ context.Context, name, value string) error {
	return nativeAnswer(keyring.Set(keyringService, name, value))
}

func (native) remove(_ context.Context, name string) error {
	return nativeAnswer(keyring.Delete(keyringService, name))
}

// nativeAnswer makes one of the four answers of what go-keyring said.
func nativeAnswer(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, keyring.ErrNotFound):
		return agent.ErrNotFound
	case errors.Is(err, keyring.ErrSetDataTooBig):
		return fmt.Errorf("%w: %w", agent.ErrRefused, err)
	}
	return fmt.Errorf("%w: %w", platformAnswer(err), err)
}
