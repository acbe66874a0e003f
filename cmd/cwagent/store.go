package main

import (
	"cmp"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/cwagent/cwagent/ipc"
)

func (c *cli) newStore() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "store",
		Short: "Show where tokens rest, and move them elsewhere",
		Long: `Show where tokens rest, why there, and how the other stores are.

The OS keyring is taken, if a token can be read back from it; where there is none, an
encrypted file that "cwagent store init file" has made. That is decided once, when the
first token is stored: nothing falls back to anything later.`,
		Example: `  cwagent store
  cwagent store init file
  cwagent store migrate file`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf(format, "table", "json"); err != nil {
				return err
			}
			a, err := c.agent()
			if err != nil {
				return err
			}
			reply, err := a.Stores(cmd.Context(), ipc.StoresRequest{})
			if err != nil {
				return err
			}
			if format == "json" {
				return writeJSON(c.out, reply)
			}
			return c.printStores(reply)
		},
	}
	cmd.Flags().StringVarP(&format, "output", "o", "table", "table or json")
	completeFlag(cmd, "output", "table", "json")
	cmd.AddCommand(c.newStoreInit(), c.newStoreMigrate())
	return cmd
}

func (c *cli) printStores(reply ipc.StoresReply) error {
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "STORE\tIN USE\tHOW IT IS")
	for i, s := range reply.Stores {
		use := "no"
		switch {
		case i == 0 && reply.Decided:
			use = "yes"
		case i == 0:
			use = "not yet"
		}
		how := cmp.Or(s.Trouble, "well")
		if s.Plaintext {
			how += ", not encrypted"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.Kind, use, printableLine(how))
		fmt.Fprintf(w, "\t\t%s\n", printableLine(s.Why))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if !reply.Decided {
		fmt.Fprintln(c.out, "No token has been stored yet: the first one decides.")
	}
	return nil
}
