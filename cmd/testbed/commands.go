package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cwagent/cwagent/cmd/testbed/internal/cloud"
	"github.com/cwagent/cwagent/cmd/testbed/internal/control"
)

func newRevoke() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke DIR NAME|cwtoken-XXXXXXXX",
		Short: "Kill every token of a name, or one by its public id, and print the public ids",
		Args:  want(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			dead, err := control.NewClient(args[0]).Revoke(cmd.Context(), args[1])
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), strings.Join(dead.IDs, "\n"))
			return nil
		},
	}
}

func newRequests() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "requests DIR [NAME|cwtoken-XXXXXXXX]",
		Short: "How often each place was asked, with that token or in all",
		Long: "How often each place was asked, with that token or in all.\n\n" +
			"whoami and clusters are the stand-in's, webhook is the API server asking about a bearer token, refused is\n" +
			"the front of --expired-status 403, login is where the redirect fault leads, keys is where object storage keys are.",
		Args: want(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			which := ""
			if len(args) == 2 {
				which = args[1]
			}
			counts, err := control.NewClient(args[0]).Requests(cmd.Context(), which)
			if err != nil {
				return err
			}
			switch output {
			case "":
				_, err = fmt.Fprint(cmd.OutOrStdout(), counts)
			case "json":
				err = json.NewEncoder(cmd.OutOrStdout()).Encode(counts)
			default:
				err = fmt.Errorf("output %q: only json", output)
			}
			return err
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "json")
	return cmd
}

func newFault() *cobra.Command {
	return &cobra.Command{
		Use:   "fault DIR KIND",
		Short: "Make the stand-in misbehave until fault DIR none",
		Long:  "Make the stand-in misbehave until fault DIR none.\n\nKinds: " + strings.Join(cloud.Kinds, ", ") + ".",
		Args:  want(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return control.NewClient(args[0]).Fault(cmd.Context(), args[1])
		},
	}
}

func newURL() *cobra.Command {
	return newPrint("url DIR", "Print the stand-in's https URL", func(i control.Info) string { return i.StandIn })
}

func newServer() *cobra.Command {
	return newPrint("server DIR", "Print the first API server's https URL", func(i control.Info) string { return i.Servers[0] })
}

func newPrint(use, short string, pick func(control.Info) string) *cobra.Command {
	return &cobra.Command{
		Use:   use,
		Short: short,
		Args:  want(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			info, err := control.NewClient(args[0]).Info(cmd.Context())
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), pick(info))
			return nil
		},
	}
}
