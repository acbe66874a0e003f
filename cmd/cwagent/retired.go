package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/cwagent/cwagent/ipc"
)

func (c *cli) newRetired() *cobra.Command {
	var done, format string
	cmd := &cobra.Command{
		Use:   "retired",
		Short: "List the tokens that gave way and still live",
		Long: `List the tokens that gave way to newer ones and have not ended yet. Those marked
"delete" are API Access Tokens: no program can revoke them, so delete them in the
Console (` + consolePage + `) and confirm it here.
Until then, or until it ends, "cwagent rotate NAME --rollback" can go back to one
that is kept.`,
		Example: `  cwagent retired
  cwagent retired --done cwtoken-3f9a1c7e`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return fail("cwagent retired --done ID takes one from the list", "retired: it takes no argument")
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf(format, "table", "json"); err != nil {
				return err
			}
			a, err := c.agent()
			if err != nil {
				return err
			}
			reply, err := a.Retired(cmd.Context(), ipc.RetiredRequest{Done: done})
			if err != nil {
				return err
			}
			if format == "json" {
				return writeJSON(c.out, reply)
			}
			if done != "" {
				fmt.Fprintf(c.out, "%s is done with\n", done)
			}
			c.printRetired(reply.Tokens)
			return nil
		},
	}
	cmd.Flags().StringVar(&done, "done", "", "public id or label of a token that you have deleted")
	cmd.Flags().StringVarP(&format, "output", "o", "table", "table or json")
	completeWith(cmd, "done", c.retiredTokens)
	completeFlag(cmd, "output", "table", "json")
	return cmd
}

func (c *cli) printRetired(tokens []ipc.Retiring) {
	if len(tokens) == 0 {
		fmt.Fprintln(c.out, "no retired tokens")
		return
	}
	now := c.now()
	w := tabwriter.NewWriter(c.out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "CREDENTIAL\tTOKEN\tGAVE WAY\tLEFT\tKEPT\tTO DO")
	for _, t := range tokens {
		todo := "nothing"
		if t.Delete {
			todo = "delete"
		}
		left := leftOf(t.Expiry, t.Expires, now)
		if t.Refused != "" {
			left = "refused"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", t.Credential, tokenWords(t), ago(&t.Since, now), left, yesNo(t.Kept), todo)
	}
	w.Flush()
}
