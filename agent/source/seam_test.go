package source

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/coreweave"
	"github.com/cwagent/cwagent/agent/ledger"
	"github.com/cwagent/cwagent/agent/render"
	"github.com/cwagent/cwagent/agent/store"
	"github.com/cwagent/cwagent/ipc"
)

// bell is an alarm that only the test rings.
type bell chan struct{}

func (bell) Set(time.Time)            {}
func (b bell) Rings() <-chan struct{} { return b }

// TestShortestLifetime lets an agent renew tokens of the shortest lifetime that an
// API server grants, ten minutes, by a clock that the test moves: in time, and
// after a sleep that was longer than the token.
func TestShortestLifetime(t *testing.T) {
	t.Parallel()
	b := startBed(t)
	b.create("/api/v1/namespaces/default/serviceaccounts", `{"metadata":{"name":"short"}}`)
	var ahead atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	verifier, err := coreweave.New(coreweave.Config{Endpoint: "https://127.0.0.1:1", Now: now})
	if err != nil {
		t.Fatal(err)
	}
	rings := make(bell, 1)
	a := agent.New(agent.Config{
		Store: &store.Memory{}, Ledger: &ledger.File{Dir: t.TempDir()}, Codec: render.Codec{}, Verifier: verifier, Now: now, Alarm: rings,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Settings: agent.Settings{Credentials: map[string]agent.Setting{"ci": {
			Servers: []ipc.Server{b.admin.Server}, CAs: [][]byte{b.admin.CA},
			Source: &ServiceAccount{Namespace: "default", Name: "short", Lifetime: 10 * time.Minute, From: "admin", Now: now},
		}}},
	})
	if err := a.Restore(); err != nil {
		t.Fatal(err)
	}
	_, err = a.Add(t.Context(), ipc.AddRequest{
		Name: "admin", Secret: b.admin.Token, Expiry: ipc.ExpiryNever, Servers: []ipc.Server{b.admin.Server}, CAs: [][]byte{b.admin.CA},
		Ephemeral: true, NoVerify: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { a.Run(ctx) })
	defer func() { cancel(); running.Wait() }()

	last := renewed(t, a, now, ipc.Secret{})
	for range 3 {
		ahead.Add(int64(401 * time.Second)) // two thirds of ten minutes, and a second
		rings <- struct{}{}
		last = renewed(t, a, now, last)
	}
	ahead.Add(int64(time.Hour)) // nothing rings: the request is what finds it out
	renewed(t, a, now, last)
}

// renewed waits for another token than last, which lives for ten minutes; until
// then each request gets one, once there was one.
func renewed(t *testing.T, a *agent.Agent, now func() time.Time, last ipc.Secret) ipc.Secret {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); <-again.C {
		token, err := a.Token(t.Context(), ipc.TokenRequest{Name: "ci"})
		if err != nil && last.Empty() {
			continue // the agent has only just begun to run
		}
		if err != nil {
			t.Fatal(err)
		}
		s, err := a.Status(t.Context(), ipc.StatusRequest{Name: "ci"})
		if err != nil {
			t.Fatal(err)
		}
		if c := s.Credentials[0]; !token.Equal(last) {
			if left := c.Expires.Sub(now()); left > 10*time.Minute || left < 10*time.Minute-15*time.Second {
				t.Errorf("it lives for %v", left)
			}
			return token
		}
	}
	t.Fatal("no other token in time")
	return last
}
