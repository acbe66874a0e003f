package agent_test

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/metrics"
	"github.com/cwagent/cwagent/agent/render"
	"github.com/cwagent/cwagent/agent/store"
	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/ipctest"
)

func TestConform(t *testing.T) {
	t.Parallel()
	ipctest.Conform(t, newInMemory)
}

func TestConformInTime(t *testing.T) {
	t.Parallel()
	ipctest.ConformInTime(t, newInMemory)
}

func newInMemory(*testing.T) ipc.Agent {
	return agent.New(agent.Config{
		Store: &store.Memory{}, Ledger: &notebook{}, Verifier: &oracle{}, Codec: render.Codec{}, Expose: new(metrics.Meter).Expose, Now: time.Now,
		Latch: &deliberate{meanwhile: func() {}},
		Alarm: &bell{now: time.Now, rings: make(chan struct{}, 1)},
		Log:   slog.New(slog.NewTextHandler(io.Discard, nil)), Version: "test", Socket: "/run/test.sock",
	})
}
