package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/cwagent/cwagent/ipc"
)

// statusFlags are what a person asks for beside a name.
type statusFlags struct {
	format       string
	watch, short bool
	warn, crit   string
}

var statusFormats = []string{"table", "wide", "json", "yaml", "name"}

func (c *cli) newStatus() *cobra.Command {
	var f statusFlags
	cmd := &cobra.Command{
		Use:   "status [NAME]",
		Short: "Show the credentials and how they are",
		Long: `Show the agent, its store, a line a credential and what there is to do, the most
urgent first; with NAME all that is known of one. On a terminal as wide as that is,
in color unless NO_COLOR is set; through a pipe plain and whole.

Exit codes: 0 all is well; 1 a credential is due, in memory only or not saved; 2
one is expired, refused, locked or empty; 3 nobody can say: the agent cannot be
reached or has no credential NAME, or the flags are wrong. The worst wins. With --warn
and --crit, which are for monitors, 1 and 2 mean that a credential has so much time
left or less, and none left is 2 as before; of one with standby tokens the last one's
end counts; one that a source renews by itself is 1 when it is due; one whose end
nobody knows is 0. The first line then says it in the words of monitors, such as
"WARNING: prod 2d", and -o name writes only the credentials that it is about.

--short is for the prompt of a shell: the credential that needs you most, such as
"prod 3d" or "prod expired"; nothing if none does or no agent answers within 0.2 s,
and exit code 0 either way.`,
		Example: `  cwagent status
  cwagent status prod
  cwagent status --watch
  cwagent status --warn 3d --crit 1d -o name
  cwagent status -o json
  PS1='$(cwagent status --short) \$ '`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fail(cmd.CommandPath()+" --help", "%s: it takes at most one argument, the name of a credential", cmd.Name())
			}
			return nil
		},
		ValidArgsFunction: c.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.runStatus(cmd.Context(), append(args, "")[0], f)
		},
	}
	cmd.Flags().StringVarP(&f.format, "output", "o", "table", strings.Join(statusFormats, ", ")+"; cwagent help status-json has the fields")
	cmd.Flags().BoolVarP(&f.watch, "watch", "w", false, "draw it again each second, until q or Ctrl-C")
	cmd.Flags().BoolVar(&f.short, "short", false, "a word or two for a prompt, or nothing")
	cmd.Flags().StringVar(&f.warn, "warn", "", "exit code 1 where a credential has at most so much time left (3d, 8h)")
	cmd.Flags().StringVar(&f.crit, "crit", "", "exit code 2 where a credential has at most so much time left (1d, 1h)")
	completeFlag(cmd, "output", statusFormats...)
	completeFlag(cmd, "warn", "14d", "3d", "1d")
	completeFlag(cmd, "crit", "3d", "1d", "1h")
	return failingWith(exitUnknown, cmd)
}

func (c *cli) runStatus(ctx context.Context, name string, f statusFlags) error {
	if err := oneOf(f.format, statusFormats...); err != nil {
		return err
	}
	judge, err := f.judge()
	switch {
	case err != nil:
		return err
	case f.short && (f.watch || f.warn+f.crit != "" || f.format != "table"):
		return fail("cwagent status --short, with or without a name", "--short: it goes with no other flag")
	case f.watch && f.warn+f.crit != "":
		return fail("they make an exit code, which --watch has none of", "--watch: it goes with neither --warn nor --crit")
	case f.short:
		return c.shortStatus(ctx, name)
	case f.watch:
		return c.watchStatus(ctx, name, f)
	}
	s, err := c.status(ctx, name)
	if err != nil {
		return err
	}
	code, faults := judge.of(s, c.now())
	if f.warn+f.crit != "" {
		s = c.printFaults(s, f.format, code, faults)
	}
	if err := c.printStatus(s, f.format, name); err != nil {
		return err
	}
	if code != 0 {
		return exitCode(code)
	}
	return nil
}

// status asks the agent that runs about one credential, or about all where name is empty.
func (c *cli) status(ctx context.Context, name string) (ipc.Status, error) {
	a, err := c.running()
	if err != nil {
		return ipc.Status{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, statusWait)
	defer cancel()
	return a.Status(ctx, ipc.StatusRequest{Name: name, Inspect: true})
}

// statusWait is how long an agent may take to say how things are. It answers from memory
// but for the store, which it asks for a second; monitors wait for ten seconds in all.
const statusWait = 5 * time.Second

func unreachable(err error) bool {
	return hasCode(err, ipc.CodeUnreachable, ipc.CodeTimeout, ipc.CodeDenied)
}

// view is how a picture of the status has to look where stdout leads to.
func (c *cli) view() view {
	v := view{now: c.now(), version: version, utf8: utf8Locale(c.getenv)}
	f, ok := c.out.(*os.File)
	if !ok || !terminal(f) {
		return v
	}
	v.color = c.getenv("NO_COLOR") == "" && c.drawable(f)
	v.width = 80
	if w, _, err := term.GetSize(int(f.Fd())); err == nil && w > 0 {
		v.width = w
	}
	return v
}

// drawable reports whether a terminal does more than to write line below line.
func (c *cli) drawable(f *os.File) bool { return c.getenv("TERM") != "dumb" && understands(f) }

// utf8Locale reports whether the locale's characters are in UTF-8, as setlocale(3) finds
// out.
func utf8Locale(getenv func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if value := strings.ToLower(getenv(name)); value != "" {
			return strings.Contains(value, "utf-8") || strings.Contains(value, "utf8")
		}
	}
	return false
}

// printStatus shows a status in one of the formats, of a credential that is named in
// detail.
func (c *cli) printStatus(s ipc.Status, format, name string) (err error) {
	v := c.view()
	switch format {
	case "json":
		return writeJSON(c.out, s)
	case "yaml":
		return writeYAML(c.out, s)
	case "name":
		for _, cred := range s.Credentials {
			fmt.Fprintln(c.out, cred.Name)
		}
		return nil
	case "wide":
		v.wide = true
	}
	v.one = name != ""
	if v.one && !v.wide {
		_, err = fmt.Fprint(c.out, v.details(s, s.Credentials[0]))
		return err
	}
	_, err = fmt.Fprint(c.out, v.draw(s))
	return err
}
