package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
)

// exitUnknown is what a monitor takes for "nobody can say".
const exitUnknown = 3

// A noVerdict is why a command whose exit code is a verdict has none.
type noVerdict struct{ error }

func (e noVerdict) Unwrap() error { return e.error }

// judging has a command end with exitUnknown where it fails, wrong flags included: 1 and 2
// say how things are, and nothing has been looked at then.
func judging(cmd *cobra.Command) *cobra.Command {
	run, args := cmd.RunE, cmd.Args
	if args != nil {
		cmd.Args = func(cmd *cobra.Command, words []string) error { return withoutVerdict(args(cmd, words)) }
	}
	cmd.RunE = func(cmd *cobra.Command, words []string) error { return withoutVerdict(run(cmd, words)) }
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return withoutVerdict(cmd.Root().FlagErrorFunc()(cmd, err))
	})
	return cmd
}

func withoutVerdict(err error) error {
	var code exitCode
	if err == nil || errors.As(err, &code) || errors.Is(err, context.Canceled) {
		return err
	}
	return noVerdict{err}
}
