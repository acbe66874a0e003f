package main

import (
	_ "embed"

	"github.com/spf13/cobra"
)

// statusJSON is made of the comments in package ipc by TestStatusJSON.
//
//go:embed status-json.txt
var statusJSON string

// newStatusJSON is a topic of cwagent help, and no command.
func newStatusJSON() *cobra.Command {
	return &cobra.Command{
		Use:   "status-json",
		Short: "The fields of cwagent status -o json",
		Long:  statusJSON,

		DisableFlagsInUseLine: true,
	}
}
