package main

import (
	"context"
	"fmt"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// shortWait is how long a prompt waits for an agent.
const shortWait = 200 * time.Millisecond

// shortStatus prints what a prompt shows. A prompt has nowhere to show an error, and
// where no agent runs nobody has missed it: kubectl has one started.
func (c *cli) shortStatus(ctx context.Context, name string) error {
	a, err := c.running()
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, shortWait)
	defer cancel()
	s, err := a.Status(ctx, ipc.StatusRequest{Name: name, Worst: true})
	if err != nil {
		return nil
	}
	if words := shortWords(s, c.now()); words != "" {
		fmt.Fprintln(c.out, words)
	}
	return nil
}

// shortWords name the credential that needs a person most and why; nothing if none
// does. An agent that is older than this program tells of all.
func shortWords(s ipc.Status, now time.Time) string {
	if s.Agent.Locked != nil {
		return "locked"
	}
	worst := agent.Worst(s.Credentials)
	if len(worst) == 0 {
		return ""
	}
	c := worst[0]
	name := printable(c.Name)
	switch {
	case c.State == ipc.StateValid:
		return name + " not saved"
	case c.State != ipc.StateDue:
		return name + " " + printable(string(c.State))
	case c.Expiry == ipc.ExpiryKnown && c.Expires != nil:
		return name + " " + largest(c.Expires.Sub(now))
	}
	return name + " due"
}

// largest writes a duration in its largest unit: 3d, 5h, 12m, 40s.
func largest(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d >= 24*time.Hour:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d >= time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d >= time.Minute:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return fmt.Sprintf("%ds", d/time.Second)
}
