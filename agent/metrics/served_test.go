package metrics_test

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/ledger"
	"github.com/cwagent/cwagent/agent/metrics"
	"github.com/cwagent/cwagent/agent/render"
	"github.com/cwagent/cwagent/agent/store"
	"github.com/cwagent/cwagent/agent/wall"
	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/client"
	"github.com/cwagent/cwagent/ipc/ipctest"
	"github.com/cwagent/cwagent/ipc/peer"
	"github.com/cwagent/cwagent/ipc/server"
)

// mute is a verifier that knows nothing.
type mute struct{}

func (mute) Verify(context.Context, agent.VerifyRequest) agent.Verdict {
	return agent.Verdict{Life: agent.Unknown, Why: "a test"}
}

// A thousand fetches at once over a socket are a thousand in the metrics, to whoever
// has had an answer.
func TestServed(t *testing.T) {
	t.Parallel()
	var m metrics.Meter
	alarm := wall.New()
	defer alarm.Close()
	a := agent.New(agent.Config{
		Store: &store.Memory{}, Ledger: &ledger.File{Dir: t.TempDir()}, Verifier: mute{}, Codec: render.Codec{},
		Expose: m.Expose, Now: time.Now, Alarm: alarm, Log: slog.New(slog.DiscardHandler),
	})
	add := ipc.AddRequest{Name: "prod", Secret: ipc.NewSecret("CW-SECRET-served"), Expiry: ipc.ExpiryNever, Servers: []ipc.Server{{URL: "https://a.example.com"}}, Ephemeral: true, NoVerify: true}
	if _, err := a.Add(t.Context(), add); err != nil {
		t.Fatal(err)
	}
	path := ipctest.SocketPath(t)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := &server.Server{
		Agent: a, Log: slog.New(slog.DiscardHandler), MaxConns: 4096,
		Peer: func(net.Conn) (peer.Peer, error) { // not us: our own questions are not counted
			return peer.Peer{Process: peer.Process{PID: 1, Start: 1}}, nil
		},
		Answered: func(op ipc.Op, code ipc.Code, took time.Duration) {
			if op == ipc.OpFetch {
				m.Fetch(code, took)
			}
		},
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	c := client.Client{Path: path}
	var all sync.WaitGroup
	for i := range 1000 {
		all.Go(func() {
			host := []string{"a", "b"}[i%2]
			info := ipctest.ExecInfo(t, "v1", "https://"+host+".example.com", nil)
			reply, err := c.Fetch(t.Context(), ipc.FetchRequest{Name: "prod", ExecInfo: info})
			if err != nil || reply.Exit != i%2 {
				t.Errorf("%d: %q, %v", reply.Exit, reply.Stderr, err)
			}
		})
	}
	all.Wait()
	reply, err := c.Metrics(t.Context(), ipc.MetricsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		`cwagent_fetches_total{credential="prod",result="given"} 500`,
		`cwagent_fetches_total{credential="prod",result="not_bound"} 500`,
		`cwagent_fetch_duration_seconds_count 1000`,
	} {
		if !strings.Contains(reply.Text, "\n"+line+"\n") {
			t.Errorf("without %s:\n%s", line, reply.Text)
		}
	}
	parse(t, []byte(reply.Text))
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
