package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/cleartext"
	"github.com/cwagent/cwagent/agent/config"
	"github.com/cwagent/cwagent/agent/lazyregexp"
	"github.com/cwagent/cwagent/ipc"
)

// runFlags are the flags of run.
type runFlags struct {
	vars       []string
	minLeft    string
	kubeconfig bool

	left time.Duration // which minLeft means
}

const runUsage = "cwagent run NAME -- COMMAND, such as: cwagent run prod -- terraform plan"

const runHelp = `Run a program with the current token of a credential in its environment, and
nowhere else: in no file, in no argument, not in the environment of your shell.
It is in COREWEAVE_API_TOKEN, or in the variables that --env names, in place of
what they were.

The program takes the place of cwagent, under the same pid: its terminal, input,
signals and exit code are its own. Signals that are to be ignored are so for the
program only if they are HUP or INT, as under nohup. One that is not found is exit code 127, one
that cannot be executed 126, before any token is asked for; what keeps cwagent itself
from running it is 125.

What is in an environment is not replaced while the program runs. So a token that
ends within --min-left is replaced first, if its source or a standby token gives
another one, and else the program is not started. The agent's log has a line for
each program, with its name and without its arguments.

With --kubeconfig the program gets a kubeconfig of its own in KUBECONFIG, for what
insists on a file: your contexts that use this credential, and its other servers.
Its current context is yours; else the only one; else there is none to guess.
No secret is in it: it refers to cwagent-credential, which has the next token, too.
It lies beside the agent's socket, 0600, and goes when the program ends; for that
cwagent waits for it, hands signals on, and ends as it ended. What keys send, such as
Ctrl-C, the program gets from the terminal, once: the same signal sent to cwagent by
"kill" while it has the terminal is not handed on. The token is then in the
environment only where --env names a variable.`

func (c *cli) newRun() *cobra.Command {
	var fl runFlags
	cmd := &cobra.Command{
		Use:   "run NAME [flags] -- COMMAND [ARG...]",
		Short: "Run a program with the current token in its environment",
		Long:  runHelp,
		Example: `  cwagent run prod -- terraform apply
  cwagent run prod --min-left 1h -- ansible-playbook site.yml
  cwagent run prod --env CW_TOKEN --env TF_VAR_token -- pulumi up
  cwagent run prod --kubeconfig -- helm upgrade --install web ./chart`,
		Args: func(cmd *cobra.Command, args []string) error {
			if cmd.ArgsLenAtDash() == 1 && len(args) > 1 {
				return nil
			}
			return fail(runUsage, "run: it takes the name of a credential, then -- and the command")
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveDefault // the command, and its files
			}
			return c.completeNames(cmd, args, toComplete)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.runProgram(cmd.Context(), fl, args[0], args[1:])
		},
	}
	failingWith(exitOurs, cmd).SetFlagErrorFunc(func(_ *cobra.Command, err error) error { // a flag of the program's, mostly
		return failure{fail(runUsage, "run: %v, before --", err), exitOurs}
	})
	f := cmd.Flags()
	f.StringArrayVar(&fl.vars, "env", nil, "variable that has the token (several allowed; default COREWEAVE_API_TOKEN, with --kubeconfig none)")
	f.StringVar(&fl.minLeft, "min-left", "5m", "how long the token must live, where its end is known: 1h, 30d; 0: any that can be used")
	f.BoolVar(&fl.kubeconfig, "kubeconfig", false, "a kubeconfig that refers to the credential, in KUBECONFIG")
	completeFlag(cmd, "env", cleartext.Known...)
	completeFlag(cmd, "min-left", "5m", "1h", "8h", "0")
	return cmd
}

func (c *cli) runProgram(ctx context.Context, fl runFlags, name string, argv []string) error {
	if err := fl.check(); err != nil {
		return err
	}
	c.deaf() // an interrupt ends this program as it will end the other
	if ctx.Err() != nil {
		return ctx.Err()
	}
	program, err := lookProgram(argv[0])
	if err != nil {
		return c.notStarted(argv[0], err)
	}
	a, err := c.agent()
	if err != nil {
		return err
	}
	token, err := a.Token(ctx, ipc.TokenRequest{Name: name, For: filepath.Base(argv[0]), MinLeft: fl.left, Keep: len(fl.vars) == 0})
	if err != nil {
		return err
	}
	set := map[string]string{}
	for _, v := range fl.vars {
		set[v] = token.Reveal()
	}
	p := runnable{program, argv, nil}
	if !fl.kubeconfig {
		p.env = withVariables(os.Environ(), set)
		return c.notStarted(argv[0], p.become())
	}
	text, err := c.kubeconfigOf(ctx, a, name)
	if err != nil {
		return err
	}
	folder, err := c.runFolder()
	if err != nil {
		return err
	}
	defer folder.remove()
	if set["KUBECONFIG"], err = folder.write(text); err != nil {
		return err
	}
	p.env = withVariables(os.Environ(), set)
	ended, err := p.await(folder)
	folder.remove()
	if err != nil {
		return c.notStarted(argv[0], err)
	}
	return ended.pass()
}

// check judges the flags, and puts in what is usual.
func (fl *runFlags) check() error {
	if len(fl.vars) == 0 && !fl.kubeconfig {
		fl.vars = cleartext.Known[:1]
	}
	for _, v := range fl.vars {
		switch {
		case !environmentName().MatchString(v):
			return fail("letters, digits and underscores, the first no digit", "--env %s: not the name of a variable", shownWord(v))
		case fl.kubeconfig && v == "KUBECONFIG":
			return fail("another variable, or leave --kubeconfig out", "--env KUBECONFIG: --kubeconfig sets it")
		}
	}
	var ok bool
	if fl.left, ok = config.ParseDuration(fl.minLeft); !ok && fl.minLeft != "0" {
		return fail("5m, 8h, 30d, or 0 for any token that can be used", "--min-left %s: not understood", fl.minLeft)
	}
	return nil
}

// environmentName is a name that every shell takes for a variable.
var environmentName = lazyregexp.New(`^[A-Za-z_][A-Za-z0-9_]*$`)

// shownWord is an argument as it may be shown: people paste tokens into wrong places.
func shownWord(s string) string {
	if agent.IsAPIToken(ipc.NewSecret(s)) {
		return "CW-SECRET-..."
	}
	return printable(s)
}

// withVariables returns env with these variables in the place of what they were.
func withVariables(env []string, set map[string]string) []string {
	env = slices.DeleteFunc(slices.Clone(env), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		for s := range set {
			if s == name || runtime.GOOS == "windows" && strings.EqualFold(s, name) {
				return true
			}
		}
		return false
	})
	for name, value := range set {
		env = append(env, name+"="+value)
	}
	return env
}
