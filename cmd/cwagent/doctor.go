package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// A grade says how something is. The exit codes of doctor follow from it.
type grade string

const (
	gradeOK        grade = "ok"
	gradeUnchecked grade = "unchecked" // nobody knows: that is not "ok"
	gradeWarning   grade = "warning"   // it works today
	gradeBroken    grade = "broken"    // somebody cannot log in, or a secret lies open
)

// A finding is one thing that a check has to say.
type finding struct {
	Grade   grade  `json:"state"`
	Cause   string `json:"cause"`   // what is wrong, or why that was not looked at
	Proof   string `json:"proof"`   // what was seen: a path and a line, a pid
	Mend    string `json:"mend"`    // what to do, in words
	Command string `json:"command"` // that does it, for a shell; empty: none does alone
	Fixable bool   `json:"fixable"` // by --fix

	fix   func(context.Context, mender) error
	shows bool // fix shows what it is about to do, and asks by itself
	spare bool // an unchecked one about what this machine has not got
}

// A check looks for one kind of mistake. It changes nothing, and ends with its ctx.
type check struct {
	name string // stable: people and programs name it
	what string // that it finds out, for the help
	look func(context.Context, *subject) []finding
}

// checks are all there are, in the order in which they are shown: what others rest on
// comes first.
func checks() []check {
	return []check{
		{"agent", "an agent runs, and answers", lookAgent},
		{"agents", "only one does", lookAgents},
		{"service", "it is started at login, by units as they are on disk", lookService},
		{"config", "config.yaml can be read", lookConfig},
		{"sources", "programs and files that tokens come from are there", lookSources},
		{"metrics", "they are written, if config.yaml wants that", lookMetrics},
		{"store", "the keyring is there, unlocked and answers", lookStore},
		{"plaintext", "tokens do not lie in the store in clear", lookPlaintext},
		{"saved", "tokens outlive the agent", lookSaved},
		{"tokens", "tokens are alive: verified now", lookTokens},
		{"expiry", "it is known when they end, and not soon", lookExpiry},
		{"clock", "this machine's clock is the server's", lookClock},
		{"kubeconfigs", "they can be read", lookKubeconfigs},
		{"import", "the tokens in them were handed to the agent", lookImport},
		{"plugin", "they name the plugin by a path that lasts", lookPlugin},
		{"kuberc", "kubectl may run the plugin", lookKuberc},
		{"beside", "no token stands beside an exec block, and wins", lookBeside},
		{"users", "no two users have one name, of which the first wins", lookUsers},
		{"servers", "credentials are bound to the servers of their contexts", lookServers},
		{"endpoint", "tokens are for that one of a cluster's two endpoints", lookEndpoint},
		{"lock", "no lock is left beside a kubeconfig", lookLock},
		{"mode", "only you can read kubeconfigs", lookMode},
		{"environment", "no token is in the environment", lookEnvironment},
	}
}

// doctorFlags are the flags of doctor.
type doctorFlags struct {
	fix, yes bool
	output   string
}

func (c *cli) newDoctor() *cobra.Command {
	var fl doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor [CHECK...]",
		Short: "Find the usual mistakes, and mend them",
		Long: `Find the usual mistakes between kubectl and a token: for each the cause, what was
seen, and what mends it. Nothing is changed without --fix, and it takes less than
three seconds. Tokens are verified, as "cwagent verify" does it, at whose word the
agent may take the next one. No agent has to run: what could then not be looked at is
"not checked", and not "ok".

With --fix it asks before each thing that it can mend, shows what becomes of a file,
and looks again in the end; --yes asks nothing. What could lose a token, or give one to
a server that has not had it, is left to you.

Checks:
` + checkLines() + `
Exit codes: 0 all is well; 1 there are warnings, or something could not be looked at;
2 something is broken; 3 the command line is wrong. What this machine has not got at all,
such as systemd, does not count. With -o json: state, the worst of ok, unchecked, warning and
broken; checks, each with name, state and findings; a finding has state, cause, proof
(what was seen), mend (in words), command (a shell's, or empty) and fixable (by --fix).
With --fix, fixes has what was tried: check, cause, done and error.`,
		Example: `  cwagent doctor
  cwagent doctor --fix
  cwagent doctor plugin kuberc
  cwagent doctor -o json | jq '.checks[] | select(.state != "ok")'`,
		ValidArgs: checkNames(),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.runDoctor(cmd.Context(), args, fl)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&fl.fix, "fix", false, "mend what can be mended; asks before each")
	f.BoolVarP(&fl.yes, "yes", "y", false, "with --fix: do not ask")
	f.StringVarP(&fl.output, "output", "o", "text", "text or json")
	completeFlag(cmd, "output", "text", "json")
	return failingWith(exitUnknown, cmd)
}

func checkNames() (names []string) {
	for _, k := range checks() {
		names = append(names, k.name)
	}
	return names
}

func checkLines() string {
	var b strings.Builder
	for _, k := range checks() {
		fmt.Fprintf(&b, "  %-12s %s\n", k.name, k.what)
	}
	return b.String()
}

// chosenChecks are those of that name, or all.
func chosenChecks(names []string) ([]check, error) {
	if len(names) == 0 {
		return checks(), nil
	}
	for _, name := range names {
		if !slices.Contains(checkNames(), name) {
			return nil, fail("one of "+strings.Join(checkNames(), ", "), "doctor %s: no such check", printable(name))
		}
	}
	return slices.DeleteFunc(checks(), func(k check) bool { return !slices.Contains(names, k.name) }), nil
}

func (c *cli) runDoctor(ctx context.Context, names []string, fl doctorFlags) error {
	if err := oneOf(fl.output, "text", "json"); err != nil {
		return err
	}
	if fl.yes && !fl.fix {
		return fail("cwagent doctor --fix --yes", "doctor: --yes is for --fix")
	}
	these, err := chosenChecks(names)
	if err != nil {
		return err
	}
	d := diagnosis{Checks: c.examine(ctx, these)}
	if fl.output == "text" {
		d.print(c.out, c.view())
	}
	if fl.fix {
		d.Fixes = c.mendAll(ctx, d.Checks, fl)
		if slices.ContainsFunc(d.Fixes, func(f fixed) bool { return f.Done }) {
			d.Checks = c.examine(ctx, these)
			if fl.output == "text" {
				io.WriteString(c.out, "\nafter that:\n")
				d.print(c.out, c.view())
			}
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if fl.output == "json" {
		if err := d.printJSON(c.out); err != nil {
			return err
		}
	}
	if code := d.exit(); code != 0 {
		return exitCode(code)
	}
	return nil
}
