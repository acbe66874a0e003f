package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/ipc"
)

// What a shell is offered never has an agent started: only one that runs is asked.

// completeNames offers the names of the agent's credentials to the shell.
func (c *cli) completeNames(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	if s, err := c.status(cmd.Context(), ""); err == nil {
		for _, cred := range s.Credentials {
			names = append(names, cred.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeFlag offers the values of a flag, in this order.
func completeFlag(cmd *cobra.Command, flag string, values ...string) {
	completeWith(cmd, flag, func(*cobra.Command, []string) []string { return values })
}

// completeWith offers the values that a flag may have beside those arguments.
func completeWith(cmd *cobra.Command, flag string, values func(*cobra.Command, []string) []string) {
	offer := func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		return values(cmd, args), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	}
	if err := cmd.RegisterFlagCompletionFunc(flag, offer); err != nil {
		panic(err) // there is no such flag
	}
}

// expiries are the values of --expires that the Console's lifetimes have.
var expiries = func() (all []string) {
	for _, l := range lifetimes {
		all = append(all, l.expires)
	}
	return append(all, "unknown")
}()

// usersOf are the users with a token in the kubeconfigs that import would take.
func (c *cli) usersOf(_ *cobra.Command, files []string) (names []string) {
	for _, path := range c.kubeconfigs(files) {
		f, err := kubeconfig.Read(path)
		if err != nil {
			continue
		}
		for _, u := range f.Users {
			names = append(names, u.Name)
		}
	}
	return names
}

// serversOf are the servers of the credential that is named.
func (c *cli) serversOf(cmd *cobra.Command, args []string) (urls []string) {
	s, err := c.status(cmd.Context(), strings.Join(args, ""))
	if err != nil || len(args) != 1 {
		return nil
	}
	for _, server := range s.Credentials[0].Servers {
		urls = append(urls, server.URL)
	}
	return urls
}

// retiredTokens are the tokens that wait to be deleted.
func (c *cli) retiredTokens(cmd *cobra.Command, _ []string) (ids []string) {
	a, err := c.running()
	if err != nil {
		return nil
	}
	reply, err := a.Retired(cmd.Context(), ipc.RetiredRequest{})
	if err != nil {
		return nil
	}
	for _, t := range reply.Tokens {
		ids = append(ids, shellWord(tokenWords(t)))
	}
	return ids
}
