package agent_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/render"
	"github.com/cwagent/cwagent/agent/store"
	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/peer"
)

// askedBy is the ctx of a request by a child of that process.
func askedBy(ctx context.Context, pid int, start uint64) context.Context {
	parent := peer.Process{PID: pid, Start: start}
	return peer.NewContext(ctx, peer.Peer{Process: peer.Process{PID: pid + 1, Start: start + 1}, Parent: parent})
}

// decoded is a codec that knows what it will be asked.
type decoded struct {
	render.Codec
	ask agent.Ask
}

func (d decoded) Decode([]byte) (agent.Ask, error) { return d.ask, nil }

// What a request costs that is answered from memory: with a certificate authority
// as long as they are, and without the reading of KUBERNETES_EXEC_INFO.
func BenchmarkFetch(b *testing.B) {
	pem := bytes.Repeat([]byte("x"), 1500)
	info := bytes.Replace(ask(home), []byte(`"cluster":{`),
		[]byte(`"cluster":{"certificate-authority-data":"`+base64.StdEncoding.EncodeToString(pem)+`",`), 1)
	read, err := render.Codec{}.Decode(info)
	if err != nil {
		b.Fatal(err)
	}
	for name, codec := range map[string]agent.Codec{"whole": render.Codec{}, "decoded": decoded{ask: read}} {
		b.Run(name, func(b *testing.B) {
			a := agent.New(agent.Config{
				Store: &store.Memory{}, Ledger: &notebook{}, Verifier: &oracle{}, Codec: codec, Now: time.Now,
				Alarm: &bell{now: time.Now, rings: make(chan struct{}, 1)}, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Keep: memory.Keep,
			})
			r := request("prod", "s3cr3t-1")
			r.Servers[0].CASHA256 = read.Server.CASHA256
			r.Ephemeral = true
			if _, err := a.Add(b.Context(), r); err != nil {
				b.Fatal(err)
			}
			var parents []context.Context
			for pid := range 1000 { // as many kubectls
				parents = append(parents, askedBy(b.Context(), 100+pid, 7))
			}
			room := make([]byte, 0, 8<<10)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if reply, err := a.Fetch(parents[i%len(parents)], ipc.FetchRequest{Name: "prod", ExecInfo: info, Room: room}); err != nil || reply.Exit != 0 {
					b.Fatalf("%s, %v", reply.Stderr, err)
				}
			}
		})
	}
}
