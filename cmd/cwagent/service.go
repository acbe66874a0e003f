package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cwagent/cwagent/agent/rewritten"
	"github.com/cwagent/cwagent/ipc"
)

// A manager is what starts the agent at login and again when it has ended: systemd's
// user manager, or launchd.
type manager interface {
	name() string

	// install puts the agent of the program there, starts it, and returns what it
	// did, for a person. Where it fails nothing is left that was not there before.
	install(program string) (did []string, err error)

	// uninstall stops the agent and takes all of it away. What is not there is no
	// error.
	uninstall() (did []string, err error)

	start() error
	stop() error
	restart() error

	// state says how it is: installed and running are two things.
	state() (serviceState, error)
}

// serviceState is what a manager knows.
type serviceState struct {
	Manager   string   `json:"manager"`
	Installed bool     `json:"installed"`
	Files     []string `json:"files"`
	Enabled   bool     `json:"enabled"` // at login
	Running   bool     `json:"running"`
	PID       int      `json:"pid,omitempty"`
}

func (c *cli) manager() (manager, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, fail("set HOME", "service: %v", err)
	}
	switch runtime.GOOS {
	case "linux":
		return newSystemd(home, c.getenv)
	case "darwin":
		return newLaunchd(home, os.Getuid()), nil
	}
	return nil, fail("run it in the foreground: cwagent agent", "service: there is none for %s yet", runtime.GOOS)
}

func (c *cli) newService() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "service",
		Short: "Have the agent started at login, and again if it ends",
		Long: `Have systemd's user manager, or launchd, start the agent at login, and again
whenever it ends. Under systemd a socket unit keeps the socket: a fetch waits during
a restart instead of failing.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	simple := func(use, short string, do func(manager) error) *cobra.Command {
		return &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
			m, err := c.manager()
			if err != nil {
				return err
			}
			return do(m)
		}}
	}
	cmd.AddCommand(
		c.newServiceInstall(), c.newServiceUninstall(), c.newServiceStatus(),
		simple("start", "Start the agent", manager.start),
		simple("stop", "Stop the agent; a socket unit starts it again when somebody asks", manager.stop),
		simple("restart", "Restart the agent; no request fails", manager.restart),
	)
	return cmd
}

func (c *cli) newServiceInstall() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Install and start it; an older one is replaced",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := c.manager()
			if err != nil {
				return err
			}
			program, err := os.Executable()
			if err != nil {
				return err
			}
			if why := fleeting(program); why != "" && !force {
				return fail("install it to a lasting place, or insist with --force", "service: %s: %s", program, why)
			}
			if err := c.nothingUnsaved(cmd.Context(), force); err != nil {
				return err
			}
			did, err := m.install(program)
			c.tellDone(did)
			return err
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "although the running agent has tokens in memory only, or the program lies in a temporary folder")
	return cmd
}

// nothingUnsaved refuses where an agent runs that would lose a token by leaving.
func (c *cli) nothingUnsaved(ctx context.Context, force bool) error {
	s, err := c.status(ctx, "")
	if err != nil || force {
		return nil // nobody runs who could lose one
	}
	var names []string
	for _, cred := range s.Credentials {
		if !cred.Saved && cred.State != ipc.StateEmpty {
			names = append(names, cred.Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return fail("add them again afterwards, and insist with --force",
		"service: the running agent has tokens in memory only, which are gone when it leaves: %s", strings.Join(names, ", "))
}

func (c *cli) newServiceUninstall() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Stop it and take it away; tokens stay in the keyring",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := c.manager()
			if err != nil {
				return err
			}
			left, err := c.stillRewritten()
			if err != nil {
				return err
			}
			if len(left) > 0 {
				fmt.Fprintf(c.err, "note: without the agent nobody can log in with these kubeconfigs: %s\n", strings.Join(left, ", "))
				fmt.Fprintln(c.err, "      cwagent restore --all, before this, puts their tokens back")
				if !yes {
					yes, err := c.ask(cmd.Context(), "Uninstall all the same?")
					if err != nil {
						return err
					}
					if !yes {
						fmt.Fprintln(c.err, "nothing was changed")
						return nil
					}
				}
			}
			did, err := m.uninstall()
			c.tellDone(did)
			return err
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask, although kubeconfigs refer to the agent")
	return cmd
}

// stillRewritten are the kubeconfigs that refer to the agent because of an import.
func (c *cli) stillRewritten() ([]string, error) {
	folder, err := c.rewrittenFiles()
	if err != nil {
		return nil, err
	}
	files, err := folder.Load()
	if err != nil {
		return nil, err
	}
	var left []string
	for _, f := range slices.DeleteFunc(files, func(f rewritten.File) bool { return len(f.Users) == 0 }) {
		if _, err := os.Stat(f.Path); err == nil {
			left = append(left, printable(f.Path))
		}
	}
	return left, nil
}

// tellDone says what was done, a line each.
func (c *cli) tellDone(did []string) {
	for _, d := range did {
		fmt.Fprintln(c.out, d)
	}
}
