package main

import (
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/cwagent/cwagent/agent"
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

It keeps tokens in memory: they are gone when it ends.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path, err := ipc.SocketPath(c.getenv)
			if err != nil {
				return err
			}
			log := slog.New(slog.NewTextHandler(c.err, nil))
			a := agent.New(agent.Config{
				Store: &store.Memory{}, Codec: render.Codec{}, Now: c.now,
				Log: log, Version: version, Socket: path,
			})
			l, err := server.Listen(path)
			if err != nil {
				return err
			}
			log.Info("serving", "socket", path, "version", version, "pid", os.Getpid())
			s := &server.Server{Agent: a, Log: log}
			return s.Serve(cmd.Context(), l)
		},
	}
}
