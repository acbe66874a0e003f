package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// sourceExec is the name of a command that is not a person's: see source.Outside.
const sourceExec = "source-exec"

// newSourceExec becomes the program of a source, with the variables named and no
// others.
func (c *cli) newSourceExec() *cobra.Command {
	return &cobra.Command{
		Use:                sourceExec + " NAME,NAME,... PROGRAM [ARGUMENT...]",
		Hidden:             true,
		DisableFlagParsing: true,
		Args:               cobra.MinimumNArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			var env []string
			for _, name := range strings.Split(args[0], ",") {
				if value, ok := os.LookupEnv(name); ok {
					env = append(env, name+"="+value)
				}
			}
			return fail("", "%s: %v", args[1], become(args[1], args[1:], env))
		},
	}
}
