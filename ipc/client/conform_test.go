package client_test

import (
	"testing"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/client"
	"github.com/cwagent/cwagent/ipc/ipctest"
)

// The wire adds nothing to an agent and takes nothing away.
func TestConform(t *testing.T) {
	t.Parallel()
	ipctest.Conform(t, func(t *testing.T) ipc.Agent {
		return client.Client{Path: ipctest.Serve(t, &ipctest.Fake{})}
	})
}
