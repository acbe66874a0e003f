package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cwagent/cwagent/ipc"
)

func (c *cli) newServiceStatus() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "How it is installed, and how the agent that runs was started",
		Long: `How it is installed, and how the agent that runs was started.
Exit code 0: it is installed and an agent answers; 1: not installed; 3: installed,
and no agent answers.`,
		Example: `  cwagent service status
  cwagent service status -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf(output, "text", "json"); err != nil {
				return err
			}
			m, err := c.manager(cmd.Context())
			if err != nil {
				return err
			}
			state, err := m.state()
			if err != nil {
				return err
			}
			agent, err := c.status(cmd.Context(), "")
			return c.printService(state, agent.Agent, err, output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	completeFlag(cmd, "output", "text", "json")
	return cmd
}

// howStarted says in words who has started an agent.
var howStarted = map[ipc.Start]string{
	ipc.StartManager: "by the service manager", ipc.StartPlugin: "by the plugin, when somebody asked", ipc.StartPerson: "by hand",
}

func (c *cli) printService(s serviceState, agent ipc.AgentInfo, why error, output string) error {
	runs := why == nil
	if output == "json" {
		out := struct {
			serviceState
			Agent *ipc.AgentInfo `json:"agent,omitempty"`
		}{serviceState: s}
		if runs {
			out.Agent = &agent
		}
		if err := writeJSON(c.out, out); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(c.out, "service  %s: %s\n", s.Manager, s.words())
		for _, f := range s.Files {
			fmt.Fprintf(c.out, "         %s\n", printable(f))
		}
		if runs {
			fmt.Fprintf(c.out, "agent    %s, pid %d, started %s\n", agent.Version, agent.PID, howStarted[agent.Start])
			if words := anotherVersion(agent, version); words != "" {
				fmt.Fprintf(c.out, "         %s\n", words)
			}
		} else if hasCode(why, ipc.CodeUnreachable) {
			fmt.Fprintln(c.out, "agent    none answers")
		} else {
			fmt.Fprintf(c.out, "agent    none answers: %s\n", printableLine(why.Error()))
		}
	}
	switch {
	case !s.Installed:
		return exitCode(1)
	case !runs:
		return exitCode(exitUnknown)
	}
	return nil
}

func (s serviceState) words() string {
	if !s.Installed {
		return "not installed; cwagent service install does it"
	}
	if s.silent {
		return "installed, and does not answer here; without it: cwagent agent"
	}
	words := []string{"installed", "not started at login", "stopped"}
	switch {
	case len(s.Masked) > 0:
		words[1] = "masked, which " + strings.Join(s.unmask, " && ") + " ends"
	case s.Enabled:
		words[1] = "started at login"
	}
	if s.Running {
		words[2] = fmt.Sprintf("running, pid %d", s.PID)
	}
	return strings.Join(words, ", ")
}
