package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/cwagent/cwagent/ipc"
)

func (c *cli) newStoreMigrate() *cobra.Command {
	var r ipc.MigrateRequest
	cmd := &cobra.Command{
		Use:   "migrate keyring|file",
		Short: "Move all tokens to another store",
		Long: `Move all tokens to another store: each is copied, read back and compared; then the new
store is the one in use; and then they are removed from the old one. Kubeconfigs and
running programs notice nothing. Interrupted, nothing is lost: run it again.`,
		Example: `  cwagent store migrate file --dry-run
  cwagent store migrate keyring`,
		ValidArgs: []string{"keyring", "file"},
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return nil
			}
			return fail("cwagent store migrate keyring, or file", "migrate: it takes one argument, the store to move to")
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			r.To = args[0]
			a, err := c.agent()
			if err != nil {
				return err
			}
			reply, err := c.migrate(cmd.Context(), a, r)
			if hasCode(err, ipc.CodeLocked) && !r.DryRun {
				if err = c.unlock(cmd.Context(), a, r.To); err == nil {
					reply, err = c.migrate(cmd.Context(), a, r)
				}
			}
			if err != nil {
				return err
			}
			return c.printMigrated(reply, r.DryRun)
		},
	}
	cmd.Flags().BoolVar(&r.DryRun, "dry-run", false, "only say what would be moved, and whether it could be")
	cmd.Flags().BoolVar(&r.AllowPlaintext, "allow-plaintext-keyring", false, "accept a keyring without a password, whose tokens lie on disk in clear")
	return cmd
}

// migrate goes on until all is done, and shows a terminal how far it is.
func (c *cli) migrate(ctx context.Context, a ipc.Agent, r ipc.MigrateRequest) (reply ipc.MigrateReply, err error) {
	shown := terminal(c.err)
	defer func() {
		if shown {
			fmt.Fprint(c.err, "\r\x1b[K")
		}
	}()
	for {
		now, err := a.Migrate(ctx, r)
		if ctx.Err() != nil {
			fmt.Fprintln(c.err, "note: nothing is lost; the same command goes on where this has stopped")
		}
		if err != nil {
			return reply, err
		}
		now.Missing = max(now.Missing, reply.Missing) // which the steps after the switch do not know
		if reply = now; r.DryRun || now.Done {
			return reply, nil
		}
		switch {
		case !shown:
		case now.Left > 0:
			fmt.Fprintf(c.err, "\r\x1b[Kremoving from the %s: %d of %d", now.From, now.Total-min(now.Left, now.Total), now.Total)
		default:
			fmt.Fprintf(c.err, "\r\x1b[Kcopying to the %s: %d of %d", now.To, now.Copied, now.Total)
		}
	}
}

func (c *cli) printMigrated(r ipc.MigrateReply, dryRun bool) error {
	tokens := counted(r.Total-r.Missing, "token")
	switch {
	case r.From == r.To:
		fmt.Fprintf(c.out, "the tokens rest in the %s already\n", r.To)
	case dryRun:
		fmt.Fprintf(c.out, "%s would move from the %s to the %s\n", tokens, r.From, r.To)
	default:
		fmt.Fprintf(c.out, "%s moved from the %s to the %s\n", tokens, r.From, r.To)
	}
	if r.Missing > 0 {
		fmt.Fprintf(c.out, "note: %d more were not in the %s any more; cwagent status shows whose\n", r.Missing, r.From)
		return exitCode(exitDue)
	}
	return nil
}
