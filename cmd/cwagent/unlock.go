package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/store"
	"github.com/cwagent/cwagent/ipc"
)

func (c *cli) newUnlock() *cobra.Command {
	return &cobra.Command{
		Use:   "unlock",
		Short: "Undo a lock, and open the store",
		Long: `Undo "cwagent lock", and open a store that is locked: a file store wants its passphrase
after each start of the agent, a keyring shows its own prompt on your screen.

A passphrase is asked for at the terminal without echo; without a terminal by pinentry,
if there is one and a screen; from a pipe it is read.`,
		Example: `  cwagent unlock
  pass cwagent | cwagent unlock`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.runUnlock(cmd.Context()) },
	}
}

// How often a person may mistype, and how long the prompt of a keyring stays.
const (
	guesses    = 3
	promptWait = 2 * time.Minute
)

// asked names what an unlock wants.
func asked(r ipc.UnlockReply) string {
	if r.Wants == ipc.WantsPassphrase {
		return "passphrase that the agent was locked with"
	}
	return cmp.Or(r.Asks, "passphrase of the store")
}

func (c *cli) runUnlock(ctx context.Context) error {
	a, err := c.agent()
	if err != nil {
		return err
	}
	reply, err := a.Unlock(ctx, ipc.UnlockRequest{})
	if err == nil && reply.Wants != "" {
		err = c.unlock(ctx, a, "")
	}
	switch {
	case err != nil:
		return err
	case reply.Was:
		fmt.Fprintln(c.out, "unlocked")
	default:
		return c.nothingLocked(ctx)
	}
	return nil
}

// nothingLocked says so, unless what is in the way of the tokens is no lock.
func (c *cli) nothingLocked(ctx context.Context) error {
	s, err := c.status(ctx, "")
	if err == nil && s.Store.Trouble != "" {
		return fail("cwagent store shows all that there are", "unlock: nothing is locked, and the %s gives nothing %s", s.Store.Kind, s.Store.Trouble)
	}
	fmt.Fprintln(c.out, "nothing was locked")
	return nil
}

// unlock asks for what is wanted until nothing is: to use the store of that kind, or
// if it is empty, what the agent uses.
func (c *cli) unlock(ctx context.Context, a ipc.Agent, kind string) error {
	r := ipc.UnlockRequest{Store: kind}
	what := ""
	for tries, last := 0, ipc.Wanted(""); ; {
		reply, err := a.Unlock(ctx, r)
		wrong := hasCode(err, ipc.CodePassphrase)
		switch {
		case wrong && tries < guesses && terminal(c.in):
			fmt.Fprintf(c.err, "cwagent: %v\n", err)
			reply.Wants = last
		case err != nil:
			return err
		case reply.Wants == "":
			return nil
		case reply.Wants == ipc.WantsKeyring && kind != "" && !terminal(c.in):
			return fail("cwagent unlock, at its screen", "store %s: it is locked, and nobody seems to be here to be asked", kind)
		case reply.Wants == ipc.WantsKeyring:
			return c.unlockKeyring(ctx)
		case reply.Wants == last:
			return fail("run it again", "unlock: %s: nothing was entered", what)
		}
		if !wrong {
			what = asked(reply)
		}
		last = reply.Wants
		tries++
		if r.Passphrase, err = c.passphrase(ctx, what); err != nil {
			return err
		}
	}
}

// unlockKeyring has the keyring ask the person, here and not in the agent: whoever
// calls this is at the screen. The agent notices by itself.
func (c *cli) unlockKeyring(ctx context.Context) error {
	fmt.Fprintln(c.err, "the keyring is asked to show its prompt on your screen")
	ctx, cancel := context.WithTimeout(ctx, promptWait)
	defer cancel()
	err := store.NewKeyring(store.KeyringConfig{}).Prompt(ctx)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, agent.ErrAbsent): // though it is there for the agent
		return fail("in a graphical session, or by its password from a pipe: gnome-keyring-daemon --unlock", "unlock: the keyring stays locked: there is nothing here that could show its prompt")
	}
	return fail("unlock it as you do otherwise: by logging in, or in Seahorse or KeePassXC", "unlock: %v", err)
}
