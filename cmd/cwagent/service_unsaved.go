package main

import (
	"context"
	"errors"
	"strings"

	"github.com/cwagent/cwagent/ipc"
)

// Which agents leave when a service manager is told something: its own, any other,
// which finds that its socket has become the manager's, or both.
func managed(s ipc.Start) bool { return s == ipc.StartManager }
func others(s ipc.Start) bool  { return s != ipc.StartManager }
func whoever(ipc.Start) bool   { return true }

// nothingUnsaved refuses where an agent runs that leaves, and would lose a token by
// it. One that does not answer may.
func (c *cli) nothingUnsaved(ctx context.Context, leaves func(ipc.Start) bool) error {
	s, err := c.status(ctx, "")
	var e *ipc.Error
	if errors.As(err, &e) && e.Code == ipc.CodeUnreachable {
		return nil // nobody runs who could lose one
	}
	if err != nil {
		return fail("insist with --force, if they may be lost", "service: the running agent may have tokens in memory only: %v", err)
	}
	var names []string
	for _, cred := range s.Credentials {
		if !cred.Saved && cred.State != ipc.StateEmpty {
			names = append(names, cred.Name)
		}
	}
	if len(names) == 0 || !leaves(s.Agent.Start) {
		return nil
	}
	return fail("add them again afterwards, and insist with --force",
		"service: the running agent has tokens in memory only, which are gone when it leaves: %s", strings.Join(names, ", "))
}
