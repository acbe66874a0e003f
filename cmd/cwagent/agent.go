package main

import (
	"io"
	stdlog "log"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/config"
	"github.com/cwagent/cwagent/agent/coreweave"
	"github.com/cwagent/cwagent/agent/ledger"
	"github.com/cwagent/cwagent/agent/render"
	"github.com/cwagent/cwagent/agent/store"
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
that somebody asks for, and answers from memory.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := harden(); err != nil {
				return fail("this system does not let a program protect its memory", "agent: %v", err)
			}
			// Small and mostly idle: half the usual slack of the heap costs
			// nothing that anybody could feel.
			debug.SetGCPercent(50)
			// net/http quotes what a server sent on Go's global logger.
			stdlog.SetOutput(io.Discard)
			log := slog.New(slog.NewTextHandler(c.err, nil))
			path, err := ipc.SocketPath(c.getenv)
			if err != nil {
				return err
			}
			a, err := c.wire(log, path)
			if err != nil {
				return err
			}
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
			ctx := cmd.Context()
			var loading sync.WaitGroup
			loading.Go(func() { a.Run(ctx) })
			defer loading.Wait()
			s := &server.Server{Agent: a, Log: log}
			return s.Serve(ctx, l)
		},
	}
}

// wire makes the agent of its parts.
func (c *cli) wire(log *slog.Logger, socket string) (*agent.Agent, error) {
	path, err := config.Path(c.getenv)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); c.getenv("CWAGENT_CONFIG") != "" && err != nil {
		return nil, fail("unset it for the usual place, or correct it", "CWAGENT_CONFIG: %v", err)
	}
	cfg, err := config.Load(path)
	if err != nil {
		return nil, err
	}
	state, err := config.StateDir(c.getenv)
	if err != nil {
		return nil, err
	}
	if ca := cfg.CoreWeave.CAFile; ca != "" {
		// Found out now, not when a verdict is missing; one that goes away
		// later is read again at each question.
		if b, err := os.ReadFile(ca); err != nil || len(agent.Certificates(b)) == 0 {
			return nil, fail("a PEM file with the certificate of who signs the endpoint's", "config %s: coreweave.caFile %s: no certificate there", path, ca)
		}
	}
	verifier, err := coreweave.New(coreweave.Config{
		Endpoint: cfg.CoreWeave.Endpoint, CAFile: cfg.CoreWeave.CAFile, UserAgent: "cwagent/" + version, Now: c.now,
	})
	if err != nil {
		return nil, err
	}
	return agent.New(agent.Config{
		Store: pickStore(cfg.Store), Ledger: ledger.File{Dir: state}, Codec: render.Codec{}, Verifier: verifier,
		Policy: policy(cfg), Now: c.now, Log: log, Version: version, Socket: socket,
	}), nil
}

// policy is what the config says about when a person is needed.
func policy(cfg config.Config) agent.Policy {
	p := agent.Policy{WarnBefore: cfg.WarnBefore, MaxAge: map[string]time.Duration{}}
	for _, cred := range cfg.Credentials {
		if cred.MaxAge.Never || cred.MaxAge.Limit > 0 {
			p.MaxAge[cred.Name] = cred.MaxAge.Limit
		}
	}
	return p
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
