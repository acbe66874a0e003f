package main

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/cwagent/cwagent/agent/config"
	"github.com/cwagent/cwagent/agent/ledger"
	"github.com/cwagent/cwagent/agent/store"
	"github.com/cwagent/cwagent/ipc"
)

func (c *cli) newStoreInit() *cobra.Command {
	var sshKey, identity string
	cmd := &cobra.Command{
		Use:   "init file",
		Short: "Make a store of encrypted files, for a machine without a keyring",
		Long: `Make a store of encrypted files in the state folder, for a machine without a keyring.

A passphrase opens it, which is asked for twice, or read from stdin; "cwagent unlock"
asks for it once after each start of the agent. With --ssh-key or --identity a private
key opens it, which has to lie outside of the state folder: by itself, if the key has no
passphrase. Without that passphrase or key the tokens in the store are lost.

The files are those of age (https://age-encryption.org). A running agent sees the new
store at once.`,
		Example: `  cwagent store init file
  cwagent store init file --ssh-key ~/.ssh/id_ed25519
  cwagent store init file --identity /media/ada/stick/age.txt`,
		ValidArgs: []string{"file"},
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && args[0] == "file" {
				return nil
			}
			return fail("cwagent store init file", "init: it takes one argument, the kind of store to make: file")
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if sshKey != "" && identity != "" {
				return fail("one of them", "init: --ssh-key and --identity are two keys, and one opens the store")
			}
			return c.initFile(cmd.Context(), cmp.Or(sshKey, identity))
		},
	}
	cmd.Flags().StringVar(&sshKey, "ssh-key", "", "file of the SSH private key that opens it (ed25519 or RSA)")
	cmd.Flags().StringVar(&identity, "identity", "", "file of the age identity that opens it")
	return cmd
}

// initFile makes a file store that the private key at that path opens, or if there is
// none, a passphrase.
func (c *cli) initFile(ctx context.Context, identity string) (err error) {
	state, err := config.StateDir(c.getenv)
	if err != nil {
		return err
	}
	if identity != "" {
		if identity, err = filepath.Abs(identity); err != nil {
			return err
		}
	}
	if err := nothingRestsThere(state); err != nil {
		return err
	}
	var passphrase ipc.Secret
	asks, err := store.InitFile(store.FileInit{State: state, Identity: identity, Ask: func() (_ ipc.Secret, err error) {
		if identity != "" {
			passphrase, err = c.readSecret(ctx, "passphrase of "+identity)
		} else {
			passphrase, err = c.readNewPassphrase(ctx, "passphrase for the file store")
		}
		return passphrase, err
	}})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "made the file store %s\n", store.FileFolder(state))
	switch {
	case identity == "":
		fmt.Fprintln(c.out, "the passphrase opens it: cwagent unlock asks for it, once after each start of the agent")
	case asks:
		fmt.Fprintf(c.out, "%s opens it: cwagent unlock asks for its passphrase, once after each start of the agent\n", identity)
	default:
		fmt.Fprintf(c.out, "%s opens it, without asking anybody\n", identity)
	}
	fmt.Fprintln(c.out, "keep that well: without it the tokens in the store are lost")
	c.sayWhoUsesIt()
	if a, err := c.agent(); err == nil && !passphrase.Empty() {
		_, _ = a.Unlock(ctx, ipc.UnlockRequest{Store: "file", Passphrase: passphrase}) // else unlock will do it
	}
	return nil
}

// nothingRestsThere refuses where tokens rest in a file store already: if it is not
// there, its folder is away, and an empty one in its place would open to nobody's good.
func nothingRestsThere(state string) error {
	book, err := (&ledger.File{Dir: state}).Load()
	if err != nil {
		return err
	}
	some, _ := filepath.Glob(filepath.Join(store.FileFolder(state), "*.*"))
	if len(some) > 0 || book.Store != "file" || len(book.Credentials) == 0 {
		return nil // what is there InitFile looks at
	}
	return fail("bring it back: mount its disk, or take it from a backup; if it is lost: cwagent forget each of them, then init",
		"file store: the tokens of %s rest in %s", counted(len(book.Credentials), "credential"), store.FileFolder(state))
}

// sayWhoUsesIt says what is left to do until tokens go to the file store.
func (c *cli) sayWhoUsesIt() {
	path, err := config.Path(c.getenv)
	if err != nil {
		return
	}
	cfg, err := config.Load(path)
	if err == nil && cfg.Store != config.StoreFile {
		fmt.Fprintf(c.err, "note: %s says store: %s; store: file takes this one even where there is a keyring, from the next start of the agent\n", path, cfg.Store)
	}
}
