package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/ipc"
)

func (c *cli) newForget() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "forget NAME",
		Short: "Remove a credential and its token from the agent",
		Long: `Remove a credential and its token from the agent. The token itself stays valid
until it expires or is deleted in the Console, which only a person can do.
Kubeconfigs that refer to the credential stop working: "cwagent restore FILE",
before, puts the token back into them. At a terminal it asks first.`,
		Example:           `  cwagent forget prod`,
		Args:              oneName,
		ValidArgsFunction: c.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := c.agent()
			if err != nil {
				return err
			}
			return c.forget(cmd.Context(), a, args[0], yes || !terminal(c.in))
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func (c *cli) forget(ctx context.Context, a ipc.Agent, name string, yes bool) error {
	s, err := a.Status(ctx, ipc.StatusRequest{Name: name})
	if err != nil {
		return err
	}
	files, err := c.referring(name)
	if err != nil {
		return err
	}
	if len(files) > 0 {
		fmt.Fprintf(c.err, "note: these kubeconfigs refer to it, and cannot log in without it: %s\n", listed(files))
	}
	if !yes {
		if len(files) > 0 {
			fmt.Fprintf(c.err, "      this, before, puts its token back: %s\n", quotedWords(append([]string{"cwagent", "restore"}, files...)))
		}
		yes, err := c.ask(ctx, "Forget credential "+name+"? No other copy of its token is kept.")
		if err != nil {
			return err
		}
		if !yes {
			fmt.Fprintln(c.err, "nothing was changed")
			return nil
		}
	}
	if err := a.Forget(ctx, ipc.ForgetRequest{Name: name}); err != nil {
		return err
	}
	id := s.Credentials[0].ID
	if id == "" {
		id = "the token"
	}
	fmt.Fprintf(c.out, "forgot credential %s; %s itself stays valid: delete it at %s\n", name, id, consolePage)
	return nil
}

// referring are the kubeconfigs that import has rewritten and that refer to a
// credential still. Of one that cannot be read nobody knows.
func (c *cli) referring(name string) ([]string, error) {
	files, err := c.stillRewritten()
	return slices.DeleteFunc(files, func(path string) bool {
		f, err := kubeconfig.Read(path)
		return err != nil || !slices.Contains(f.Ours, name)
	}), err
}
