package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// call is where an example runs cwagent: at the beginning of a line or of what a shell
// puts together, up to what is the shell's again.
var call = regexp.MustCompile(`(?:^|[\s(])(cwagent(?: [^|;&()<>#]*)?)`)

// Each command that a person is shown has a line that says what it does, and examples
// that it would take: known commands and flags, and as many arguments as it wants.
func TestExamples(t *testing.T) {
	t.Parallel()
	root := func() *cobra.Command {
		return newRoot(&cli{in: strings.NewReader(""), out: &strings.Builder{}, err: &strings.Builder{}, getenv: os.Getenv, now: time.Now})
	}
	var look func(cmd *cobra.Command)
	look = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				look(sub)
			}
		}
		if cmd.Short == "" || cmd.Example == "" {
			t.Errorf("%s --help has no example, or no short line", cmd.CommandPath())
		}
		own := false
		for line := range strings.Lines(cmd.Example) {
			calls := call.FindAllStringSubmatch(strings.TrimRight(line, "\n"), -1)
			if !strings.HasPrefix(line, "  ") {
				t.Errorf("%s --help: %q is not indented", cmd.CommandPath(), line)
			}
			for _, c := range calls {
				ran, err := parse(root(), strings.Fields(c[1])[1:])
				if err != nil {
					t.Errorf("%s --help: %q: %v", cmd.CommandPath(), c[1], err)
				}
				own = own || (ran + " ")[:min(len(ran)+1, len(cmd.CommandPath())+1)] == cmd.CommandPath()+" "
			}
		}
		if !own {
			t.Errorf("%s --help: none of its examples is its own", cmd.CommandPath())
		}
	}
	look(root())
	for _, wrong := range []string{"frobnicate", "status --nope", "forget", "status a b", "service install now"} {
		if _, err := parse(root(), strings.Fields(wrong)); err == nil {
			t.Errorf("%s: it would be taken for an example", wrong)
		}
	}
}

// parse returns the path of the command that would run.
func parse(root *cobra.Command, words []string) (string, error) {
	cmd, rest, err := root.Find(words)
	if err == nil {
		err = cmd.ParseFlags(rest)
	}
	if err == nil {
		err = cmd.ValidateArgs(cmd.Flags().Args())
	}
	return cmd.CommandPath(), err
}
