package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
)

// The exit codes of commands that fail where 1 and 2 mean something else.
const (
	exitUnknown = 3   // of one whose exit code is a verdict: what a monitor takes for "nobody can say"
	exitOurs    = 125 // of run, as of env and timeout: the lower ones may be the program's
)

// A failure is an error with an exit code of its own.
type failure struct {
	error
	code int
}

func (e failure) Unwrap() error { return e.error }

// failingWith has a command end with that code where it fails, wrong flags included.
func failingWith(code int, cmd *cobra.Command) *cobra.Command {
	as := func(err error) error {
		var is exitCode
		if err == nil || errors.As(err, &is) || errors.Is(err, context.Canceled) {
			return err
		}
		return failure{err, code}
	}
	run, args := cmd.RunE, cmd.Args
	if args != nil {
		cmd.Args = func(cmd *cobra.Command, words []string) error { return as(args(cmd, words)) }
	}
	cmd.RunE = func(cmd *cobra.Command, words []string) error { return as(run(cmd, words)) }
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return as(cmd.Root().FlagErrorFunc()(cmd, err)) })
	return cmd
}
