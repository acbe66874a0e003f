package main

import (
	"github.com/spf13/cobra"

	"github.com/cwagent/cwagent/agent/source"
)

// sourceExec is the name of a command that is not a person's: see source.Outside.
const sourceExec = "source-exec"

func (c *cli) newSourceExec() *cobra.Command {
	return &cobra.Command{
		Use:    sourceExec,
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			exit, err := source.Help(c.in, c.out, c.err)
			if err != nil {
				return fail("the agent runs this for a source.command of config.yaml", "%s: %v", sourceExec, err)
			}
			return exitCode(exit)
		},
	}
}
