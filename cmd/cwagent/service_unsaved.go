package main

import (
	"context"
	"strings"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// Which agents leave when a service manager is told something: its own, any other,
// which finds that its socket has become the manager's, or both.
func managed(s ipc.Start) bool { return s == ipc.StartManager }
func others(s ipc.Start) bool  { return s != ipc.StartManager }
func whoever(ipc.Start) bool   { return true }

// nothingUnsaved refuses where an agent runs that leaves, and would lose a token by
// it, although it has been asked to save what it can. One that does not answer may.
func (c *cli) nothingUnsaved(ctx context.Context, leaves func(ipc.Start) bool) error {
	names, start, err := c.unsaved(ctx)
	if err == nil && leaves(start) && len(names) > 0 {
		if err = c.askToLeave(ctx, ipc.LeaveRequest{Stay: true}); err == nil {
			names, start, err = c.unsaved(ctx)
		}
	}
	switch {
	case err != nil && !hasCode(err, ipc.CodeTimeout, ipc.CodeDenied, ipc.CodeStore):
		return nil // nobody runs who could lose one, or who does has yet to begin
	case err != nil:
		return fail("insist with --force, if they may be lost", "service: the running agent may have tokens in memory only: %v", err)
	case len(names) == 0 || !leaves(start):
		return nil
	}
	return fail("cwagent restore FILE puts back, before, what a kubeconfig refers to; add others again afterwards; and insist with --force",
		"service: the running agent has tokens in memory only, which are gone when it leaves: %s", strings.Join(names, ", "))
}

// unsaved are the names of the credentials that the running agent has in memory only.
func (c *cli) unsaved(ctx context.Context) (names []string, start ipc.Start, err error) {
	s, err := c.status(ctx, "")
	for _, cred := range s.Credentials {
		if !cred.Saved && cred.State != ipc.StateEmpty {
			names = append(names, cred.Name)
		}
	}
	return names, s.Agent.Start, err
}

// askToLeave asks the agent that runs, if one does and knows the question.
func (c *cli) askToLeave(ctx context.Context, r ipc.LeaveRequest) error {
	a, err := c.running()
	if err != nil {
		return err
	}
	if err = a.Leave(ctx, r); hasCode(err, ipc.CodeUnreachable, ipc.CodeUnknownOp) {
		return nil
	}
	return err
}

// makeRoom has an agent leave that somebody has started by hand, where the manager's
// own would find the socket taken. systemd's takes it over: nobody has to leave first,
// and no fetch comes in between.
func (c *cli) makeRoom(ctx context.Context, m manager, force bool) error {
	s, err := c.status(ctx, "")
	if err != nil || s.Agent.Start == ipc.StartManager || m.takesOver() {
		return nil
	}
	if err := c.askToLeave(ctx, ipc.LeaveRequest{Force: force}); err != nil {
		return err
	}
	if a, err := c.running(); err != nil || !hasLeft(ctx, a) {
		return fail("end it, and try again", "service: the agent that runs (pid %d) does not leave", s.Agent.PID)
	}
	return nil
}

// hasLeft waits until an agent has left that was asked to, which it answers before it
// goes, and reports whether it has as long as that may take.
func hasLeft(ctx context.Context, a ipc.Agent) bool {
	ctx, cancel := context.WithTimeout(ctx, lastWait)
	defer cancel()
	for {
		if _, err := a.Status(ctx, ipc.StatusRequest{}); hasCode(err, ipc.CodeUnreachable) {
			return true
		}
		if !sleep(ctx, 20*time.Millisecond) {
			return false
		}
	}
}
