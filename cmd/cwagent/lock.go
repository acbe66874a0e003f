package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/cwagent/cwagent/ipc"
)

func (c *cli) newLock() *cobra.Command {
	var r ipc.LockRequest
	var guard bool
	cmd := &cobra.Command{
		Use:   "lock",
		Short: "Have the agent give nothing out, and forget what it holds",
		Long: `Have the agent give nothing out until "cwagent unlock", and forget what it holds: it
executes itself again, so that no token is left in its memory. A restart does not
unlock it.

With --passphrase it is asked for twice, and unlock asks for it; without, anybody who
runs as you can unlock it, unless the store has a passphrase. That keeps out who sits
down at your desk, as ssh-add -x does, and no program that runs as you: it can take the
mark of the lock away beside the socket, or ask the keyring. A logout takes it away, too,
where that removes the folder of the socket. A token in memory only would be lost: then
nothing is locked without --force.

"lockAfter: 8h" in config.yaml locks it when nobody has asked for a token that long.`,
		Example: `  cwagent lock
  cwagent lock --passphrase`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if guard {
				if r.Passphrase, err = c.readNewPassphrase(cmd.Context(), "passphrase to unlock with"); err != nil {
					return err
				}
				if r.Passphrase.Empty() {
					return fail("nothing was locked", "lock: the passphrase is empty")
				}
			}
			a, err := c.agent()
			if err != nil {
				return err
			}
			if err := a.Lock(cmd.Context(), r); err != nil {
				return err
			}
			if guard {
				fmt.Fprintln(c.out, "locked; cwagent unlock asks for the passphrase")
			} else {
				fmt.Fprintln(c.out, "locked; anybody who runs as you can unlock it: cwagent unlock"+alsoStore(cmd.Context(), a))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&guard, "passphrase", false, "ask for a passphrase, which unlock will want")
	cmd.Flags().BoolVar(&r.Force, "force", false, "although tokens in memory only are lost")
	return cmd
}

// alsoStore says that a store with a passphrase wants it after each start of the agent,
// and so after a lock.
func alsoStore(ctx context.Context, a ipc.Agent) string {
	s, err := a.Status(ctx, ipc.StatusRequest{})
	if err != nil || s.Store.Kind != "file" {
		return ""
	}
	return "; the file store wants its passphrase, if it has one"
}
