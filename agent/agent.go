// Package agent is the mind of cwagent: which credentials there are, which
// token each has, to which servers it may go, and what is to be done when.
//
// It answers from memory. While somebody waits for a fetch it touches no store,
// no disk and no network, and holds no lock over anything slow. It never gives
// out a token past its expiry, nor for a server that the credential is not
// bound to.
//
// It refuses to know how tokens are kept, how an ExecCredential is spelled, or
// what a socket is: [Store] and [Codec] are declared here and implemented by
// its child packages, which it never imports; package ipc is the language in
// which it is spoken to.
package agent

import (
	"context"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// Config is what an Agent is made of. Every field is required.
type Config struct {
	Store   Store            // where tokens rest
	Codec   Codec            // the language of exec credential plugins
	Now     func() time.Time // the wall clock
	Log     *slog.Logger
	Version string // of this program, for status
	Socket  string // path, for status
}

// Agent is the daemon's body of ipc.Agent.
type Agent struct {
	Config
	started time.Time

	// change is taken by whoever changes credentials, for as long as that
	// takes, store calls included; requests for tokens never wait for it. It is
	// taken before mu.
	change chan struct{}

	mu    sync.RWMutex
	creds map[string]*credential // immutable values: replaced, never written to
}

var _ ipc.Agent = (*Agent)(nil)

// New returns an agent that knows no credential yet.
func New(c Config) *Agent {
	return &Agent{
		Config:  c,
		started: c.Now(),
		change:  make(chan struct{}, 1),
		creds:   map[string]*credential{},
	}
}

// lookup returns the credential of that name.
func (a *Agent) lookup(name string) (*credential, error) {
	a.mu.RLock()
	c := a.creds[name]
	a.mu.RUnlock()
	if c == nil {
		return nil, notFound(name)
	}
	return c, nil
}

// put makes c the credential of its name.
func (a *Agent) put(c *credential) {
	a.mu.Lock()
	a.creds[c.name] = c
	a.mu.Unlock()
}

// changing waits for its turn to change credentials, at most as long as ctx
// lives. The caller calls done.
func (a *Agent) changing(ctx context.Context) (done func(), err error) {
	select {
	case a.change <- struct{}{}:
		return func() { <-a.change }, nil
	case <-ctx.Done():
		return nil, &ipc.Error{
			Code: ipc.CodeTimeout,
			What: "agent: another change is still under way",
			Hint: "try again; cwagent status shows the store",
		}
	}
}

// info describes this agent.
func (a *Agent) info() ipc.AgentInfo {
	return ipc.AgentInfo{Version: a.Version, PID: os.Getpid(), Started: a.started, Socket: a.Socket}
}
