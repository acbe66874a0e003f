package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/cwagent/cwagent/ipc"
)

func (c *cli) newToken() *cobra.Command {
	var raw bool
	cmd := &cobra.Command{
		Use:   "token NAME",
		Short: "Print the current token of a credential",
		Long: `Print the current token of a credential: to a terminal, or with --raw to
anything else. It never prints an ExecCredential: a kubeconfig uses
cwagent-credential, which gives the token to bound servers only.`,
		Example:           `  curl -H @<(echo "Authorization: Bearer $(cwagent token prod --raw)") https://api.coreweave.com/v1beta1/cks/clusters`,
		Args:              oneName,
		ValidArgsFunction: c.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if !raw && !terminal(c.out) {
				return fail("--raw, if another program is to read the token", "token: stdout is not a terminal")
			}
			a, err := c.agent()
			if err != nil {
				return err
			}
			t, err := a.Token(cmd.Context(), ipc.TokenRequest{Name: args[0]})
			if err != nil {
				return err
			}
			fmt.Fprintln(c.out, t.Reveal())
			return nil
		},
	}
	cmd.Flags().BoolVar(&raw, "raw", false, "print it even where stdout is not a terminal")
	return cmd
}
