package main

import (
	"context"
	"io"
	stdlog "log"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"

	"github.com/spf13/cobra"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/absorb"
	"github.com/cwagent/cwagent/agent/audit"
	"github.com/cwagent/cwagent/agent/config"
	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/agent/ledger"
	"github.com/cwagent/cwagent/agent/render"
	"github.com/cwagent/cwagent/agent/rewritten"
	"github.com/cwagent/cwagent/agent/store"
	"github.com/cwagent/cwagent/agent/wall"
	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/server"
)

func (c *cli) newAgent() *cobra.Command {
	return &cobra.Command{
		Use:   "agent",
		Short: "Run the agent in the foreground",
		Long: `Run the agent in the foreground, until it is interrupted (SIGINT, SIGTERM).
It then answers what it has been asked and leaves.

Tokens rest in the OS keyring. The agent reads them at its start, those first
that somebody asks for, and answers from memory. It looks after kubeconfigs:
a static token that comes back into one is taken out again, see "watch" in the
config. What it does is logged to stderr, and to audit.jsonl in the state folder.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.runAgent(cmd.Context()) },
	}
}

func (c *cli) runAgent(ctx context.Context) error {
	if err := harden(); err != nil {
		return fail("this system does not let a program protect its memory", "agent: %v", err)
	}
	// Small and mostly idle: a quarter of the usual slack of the heap costs
	// nothing that anybody could feel.
	debug.SetGCPercent(25)
	// net/http quotes what a server sent on Go's global logger.
	stdlog.SetOutput(io.Discard)
	text, trail := slog.NewTextHandler(c.err, nil), audit.New()
	log := slog.New(slog.NewMultiHandler(text, trail))
	state, err := config.StateDir(c.getenv)
	if err != nil {
		return err
	}
	path, err := ipc.SocketPath(c.getenv)
	if err != nil {
		return err
	}
	set, err := c.newSettings(log)
	if err != nil {
		return err
	}
	a, watcher := c.wire(log, path, state, set)
	// The listener's lock makes this agent the only one that may read
	// and write the state.
	l, err := server.Listen(path)
	if err != nil {
		return err
	}
	if err := a.Restore(); err != nil {
		l.Close()
		return err
	}
	log.Info("serving", "socket", path, "version", version, "pid", os.Getpid())
	var running, writing sync.WaitGroup
	all, ended := context.WithCancel(context.WithoutCancel(ctx))
	writing.Go(func() {
		trail.Run(all, state, func(err error) { slog.New(text).Error("audit log not written", "error", err) })
	})
	defer writing.Wait()
	defer ended() // what the others say last is written, too
	running.Go(func() { a.Run(ctx) })
	running.Go(func() { set.follow(ctx, a, watcher) })
	running.Go(func() { watcher.Run(ctx) })
	defer running.Wait()
	s := &server.Server{Agent: a, Log: log}
	return s.Serve(ctx, l)
}

// wire makes the agent of its parts, and what looks after kubeconfigs for it.
func (c *cli) wire(log *slog.Logger, socket, state string, set *settings) (*agent.Agent, *absorb.Watcher) {
	var watcher *absorb.Watcher // nobody asks for it before both are made
	a := agent.New(agent.Config{
		Store: pickStore(set.first.Store), Ledger: ledger.File{Dir: state}, Codec: render.Codec{}, Verifier: &set.verify,
		Settings: set.agent(set.first), Now: c.now, Alarm: wall.New(), Log: log, Version: version, Socket: socket,
		Watched: func() []ipc.Watch { return watcher.Watched() },
		Changed: func() { watcher.CredentialsChanged() },
	})
	watcher = absorb.New(absorb.Config{
		Agent: a, Rewritten: rewritten.Folder{Dir: state}, Consent: absorb.Consent{Dir: state},
		Plugin: func() (string, error) { return c.chosenPlugin(rewritten.Folder{Dir: state}) }, Shared: kubeconfig.Shared,
		Settings: watching(set.first), Now: c.now, Log: log,
	})
	return a, watcher
}

// pickStore returns the store that the config names. "auto" is the keyring: the
// first token decides, because it is taken only if it can be read back.
func pickStore(name config.Store) agent.Store {
	switch name {
	case config.StoreMemory:
		return &store.Memory{}
	case config.StoreKeyring:
		return store.NewKeyring(store.KeyringConfig{Why: "set in the config"})
	}
	return store.NewKeyring(store.KeyringConfig{Why: "auto"})
}
