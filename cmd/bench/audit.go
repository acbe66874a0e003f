package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/audit"
	"github.com/cwagent/cwagent/agent/ledger"
	"github.com/cwagent/cwagent/agent/render"
	"github.com/cwagent/cwagent/agent/store"
	"github.com/cwagent/cwagent/agent/wall"
	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/client"
	ipcserver "github.com/cwagent/cwagent/ipc/server"
)

// mostForAudit is what a fetch that is recorded may take, of one that is not.
const mostForAudit = 1.05

// audited compares, at 1,000 fetches a second, one that is recorded with one that is
// not: two agents, asked in turn. A machine that does something else meanwhile gets
// two more chances.
func audited(dir string) error {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	dir = filepath.Join(dir, "audited")
	trail := audit.New()
	running.Go(func() { trail.Run(ctx, dir, func(err error) { fmt.Println("audit log:", err) }) })
	var clients []client.Client
	for i, l := range []*audit.Log{nil, trail} {
		path := filepath.Join(dir, fmt.Sprint(i), "agent.sock")
		a, err := listening(ctx, &running, path, l)
		if err != nil {
			return err
		}
		if err := fillOne(a); err != nil {
			return err
		}
		clients = append(clients, client.Client{Path: path})
	}
	ratio := 0.0
	for range 3 {
		medians, err := inTurn(clients, 4000)
		if err != nil {
			return err
		}
		ratio = medians[1] / medians[0]
		fmt.Printf("\nfetch over the socket, 1,000 a second   %.1f us   recorded %.1f us   ratio %.3f   (at most %.2f)\n",
			medians[0]*1000, medians[1]*1000, ratio, mostForAudit)
		if ratio <= mostForAudit {
			return nil
		}
	}
	return fmt.Errorf("the audit log costs a fetch %.1f %%", (ratio-1)*100)
}

// listening serves an agent at path until ctx ends, that records in l if it is not nil.
func listening(ctx context.Context, running *sync.WaitGroup, path string, l *audit.Log) (*agent.Agent, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	c := agent.Config{
		Store: &store.Memory{}, Ledger: &ledger.File{Dir: filepath.Dir(path)}, Codec: render.Codec{}, Now: time.Now, Alarm: wall.New(),
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	if l != nil {
		c.Audit, c.Log = l, slog.New(l)
	}
	a := agent.New(c)
	socket, err := ipcserver.Listen(path)
	if err != nil {
		return nil, err
	}
	running.Go(func() { _ = (&ipcserver.Server{Agent: a, Log: c.Log}).Serve(ctx, socket) }) // an end is what it is told
	return a, nil
}

func fillOne(a ipc.Agent) error {
	_, err := a.Add(context.Background(), ipc.AddRequest{
		Name: "bench", Secret: ipc.NewSecret("CW-SECRET-bench"), Expiry: ipc.ExpiryUnknown,
		Servers: []ipc.Server{{URL: server}}, Ephemeral: true, NoVerify: true,
	})
	return err
}

// inTurn returns the median time of n fetches from each, in milliseconds. Who is first
// changes each time.
func inTurn(clients []client.Client, n int) ([]float64, error) {
	times := make([][]time.Duration, len(clients))
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for i := range n {
		<-tick.C
		for k := range clients {
			k = (k + i) % len(clients)
			began := time.Now()
			reply, err := clients[k].Fetch(context.Background(), ipc.FetchRequest{Name: "bench", ExecInfo: []byte(execInfo)})
			if err != nil || reply.Exit != 0 {
				return nil, fmt.Errorf("fetch: %q, %v", reply.Stderr, err)
			}
			times[k] = append(times[k], time.Since(began))
		}
	}
	var medians []float64
	for _, t := range times {
		slices.Sort(t)
		medians = append(medians, float64(t[n/2].Nanoseconds())/1e6)
	}
	return medians, nil
}
