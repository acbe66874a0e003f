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

// serviceName is what kardianos/service calls the agent.
const serviceName = "cwagent"

// A manager is what starts the agent at login and again when it has ended: systemd's
// user manager, or launchd.
type manager interface {
	name() string

	// takesOver reports whether its agent gets the socket although another one has it.
	takesOver() bool

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
	Masked    []string `json:"masked,omitempty"` // what somebody wants never to run

	unmask []string // the commands that have them run again
	silent bool     // the manager does not answer here: of the last four nothing is known
}

// manager returns the service manager of this system, for one command: what it does
// ends with ctx.
func (c *cli) manager(ctx context.Context) (manager, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, fail("set HOME", "service: %v", err)
	}
	switch runtime.GOOS {
	case "linux":
		return newSystemd(ctx, home, c.getenv)
	case "darwin":
		return newLaunchd(ctx, home, os.Getuid())
	case "windows":
		return c.newSCM(ctx)
	}
	return nil, fail("run it in the foreground: cwagent agent", "service: there is none for %s yet", runtime.GOOS)
}

func (c *cli) newService() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "service",
		Short: "Have the agent started at login, and again if it ends",
		Long: `Have systemd's user manager, or launchd, start the agent at login, and again
whenever it ends. Under systemd a socket unit keeps the socket: a fetch waits during
a restart instead of failing.

On Windows it is a service that starts with the machine and runs as you: installing it
wants an administrator, and the password of your account.`,
		Example: `  cwagent service install
  cwagent service status
  cwagent service restart`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.newServiceInstall(), c.newServiceUninstall(), c.newServiceStatus())
	for _, v := range verbs {
		cmd.AddCommand(c.newServiceVerb(v))
	}
	return cmd
}

// A verb is an order for a manager in a word; agents that leave by it must have
// nothing to lose.
type verb struct {
	use, short string
	leaves     func(ipc.Start) bool
	do         func(manager) error
	did        map[bool]string // by whether the manager's agent ran before
}

var verbs = []verb{
	{"start", "Start the agent", others, manager.start,
		map[bool]string{false: "the agent is started", true: "the agent ran already"}},
	{"stop", "Stop the agent; a socket unit starts it again when somebody asks", managed, manager.stop,
		map[bool]string{false: "the agent did not run", true: "the agent is stopped"}},
	{"restart", "Restart the agent; no request fails", whoever, manager.restart,
		map[bool]string{false: "the agent is started", true: "the agent is restarted"}},
}

func (c *cli) newServiceVerb(v verb) *cobra.Command {
	var force bool
	cmd := &cobra.Command{Use: v.use, Short: v.short, Example: "  cwagent service " + v.use, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		m, err := c.manager(cmd.Context())
		if err != nil {
			return err
		}
		return c.order(cmd.Context(), m, v, force)
	}}
	forceFlag(cmd, &force)
	return cmd
}

func (c *cli) order(ctx context.Context, m manager, v verb, force bool) error {
	before, _ := m.state()                              // what fails there fails below, too; to ask the agent may start it
	if !force && !(v.use == "start" && m.takesOver()) { // that hands on what it has
		if err := c.nothingUnsaved(ctx, v.leaves); err != nil {
			return err
		}
	}
	if v.leaves(ipc.StartPerson) {
		if err := c.makeRoom(ctx, m, force); err != nil {
			return err
		}
	}
	if err := v.do(m); err != nil {
		return err
	}
	c.tellDone([]string{v.did[before.Running]})
	return nil
}

func forceFlag(cmd *cobra.Command, force *bool) {
	cmd.Flags().BoolVar(force, "force", false, "although the running agent has tokens in memory only")
}

func (c *cli) newServiceInstall() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Install and start it; an older one is replaced",

		Example: `  cwagent service install`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := c.manager(cmd.Context())
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
			if !force {
				if err := c.nothingUnsaved(cmd.Context(), whoever); err != nil {
					return err
				}
			}
			if err := c.makeRoom(cmd.Context(), m, force); err != nil {
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

func (c *cli) newServiceUninstall() *cobra.Command {
	var yes, force bool
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Stop it and take it away; tokens stay in the keyring",

		Example: `  cwagent service uninstall`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := c.manager(cmd.Context())
			if err != nil {
				return err
			}
			if !force {
				if err := c.nothingUnsaved(cmd.Context(), managed); err != nil {
					return err
				}
			}
			left, err := c.stillRewritten()
			if err != nil {
				return err
			}
			if len(left) > 0 {
				fmt.Fprintf(c.err, "note: without the agent nobody can log in with these kubeconfigs: %s\n", listed(left))
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
			if err == nil && len(did) == 0 {
				did = []string{"it was not installed"}
			}
			c.tellDone(did)
			if err != nil {
				return err
			}
			return c.forgetLaunch()
		},
	}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask, although kubeconfigs refer to the agent")
	forceFlag(cmd, &force)
	return cmd
}

// forgetLaunch has the plugin start no agent any more, where a person's has left a
// note of how.
func (c *cli) forgetLaunch() error {
	was, err := removed(ipc.LaunchPath())
	if err != nil {
		return fail("", "service: %v", err)
	}
	if was {
		c.tellDone([]string{"removed: " + ipc.LaunchPath()})
	}
	return nil
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
	for _, f := range slices.DeleteFunc(files, func(f rewritten.File) bool { return !f.Imported() }) {
		if _, err := os.Stat(f.Path); err == nil {
			left = append(left, f.Path)
		}
	}
	return left, nil
}

// listed writes paths for a person.
func listed(paths []string) string {
	var words []string
	for _, p := range paths {
		words = append(words, printable(p))
	}
	return strings.Join(words, ", ")
}

// tellDone says what was done, a line each.
func (c *cli) tellDone(did []string) {
	for _, d := range did {
		fmt.Fprintln(c.out, d)
	}
}
