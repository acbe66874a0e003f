package main

import (
	"context"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// hintWait is how long a service manager may take to say whether it has the agent,
// where that only decides the words of a hint.
const hintWait = 2 * time.Second

// startHint says how to start an agent where none runs.
func (c *cli) startHint() string {
	if c.getenv("CWAGENT_SOCKET") != "" {
		return ipc.StartHint // no manager's would listen there
	}
	ctx, cancel := context.WithTimeout(context.Background(), hintWait)
	defer cancel()
	m, err := c.manager(ctx)
	if err != nil {
		return ipc.StartHint
	}
	if s, err := m.state(); err != nil || !s.Installed || s.silent || len(s.Masked) > 0 {
		return ipc.StartHint
	}
	return "start it with: cwagent service start"
}
