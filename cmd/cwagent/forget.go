package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/cwagent/cwagent/ipc"
)

func (c *cli) newForget() *cobra.Command {
	return &cobra.Command{
		Use:   "forget NAME",
		Short: "Remove a credential and its token from the agent",
		Long: `Remove a credential and its token from the agent. The token itself stays valid
until it expires or is deleted in the Console, which only a person can do.
Kubeconfigs that refer to the credential stop working.`,
		Args:              oneName,
		ValidArgsFunction: c.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := c.agent()
			if err != nil {
				return err
			}
			s, err := a.Status(cmd.Context(), ipc.StatusRequest{Name: args[0]})
			if err != nil {
				return err
			}
			if err := a.Forget(cmd.Context(), ipc.ForgetRequest{Name: args[0]}); err != nil {
				return err
			}
			id := s.Credentials[0].ID
			if id == "" {
				id = "the token"
			}
			fmt.Fprintf(c.out, "forgot credential %s; %s itself stays valid: delete it at https://console.coreweave.com/tokens\n", args[0], id)
			return nil
		},
	}
}
