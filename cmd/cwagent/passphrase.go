package main

import (
	"context"
	"os"

	"github.com/cwagent/cwagent/ipc"
)

// readNewPassphrase reads a passphrase that is named by what: twice where a person
// types it, who sees nothing of it.
func (c *cli) readNewPassphrase(ctx context.Context, what string) (ipc.Secret, error) {
	f, ok := c.in.(*os.File)
	if !ok || !terminal(f) {
		return c.readSecret(ctx, what)
	}
	defer discardInput(f)
	first, err := c.typeSecret(ctx, f, what)
	if err != nil {
		return ipc.Secret{}, err
	}
	second, err := c.typeSecret(ctx, f, "once more")
	if err == nil && !first.Equal(second) {
		err = fail("try again; nothing was changed", "%s: it was not twice the same", what)
	}
	return first, err
}
