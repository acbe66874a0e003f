package main

import (
	"bufio"
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/cwagent/cwagent/agent/audit"
	"github.com/cwagent/cwagent/agent/config"
	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/agent/watch"
)

func (c *cli) newLog() *cobra.Command {
	var fl logFlags
	cmd := &cobra.Command{
		Use:   "log [NAME]",
		Short: "Show who fetched which token, and what else was done",
		Long: `Show who fetched which token, and what else was done: imports, rotations,
verifications, refusals, locks. The newest stands last. It is read from the files
audit-HOST.jsonl of the state folder, of all machines that share it; no agent is
needed for that.

Who asked is a chain of programs, the one that uses the token first: "kubectl get
pods <- zsh <- tmux". Of their arguments no more is recorded than two plain words:
the others may be secrets. What the same programs fetch again within a minute is
summed, in a line of its own at the end of that minute.

Records are numbered. Those that are missing are said, and so is how many the
agent has dropped because the disk did not take them.`,
		Example: `  cwagent log prod --since 1h
  cwagent log -f
  cwagent log -o json | jq -r 'select(.msg == "given out") | .caller'`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fail(cmd.CommandPath()+" --help", "%s: it takes at most one argument, the name of a credential", cmd.Name())
			}
			return nil
		},
		ValidArgsFunction: c.completeNames,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := oneOf(fl.format, "table", "json"); err != nil {
				return err
			}
			fl.name = append(args, "")[0]
			return c.runLog(cmd.Context(), fl)
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&fl.follow, "follow", "f", false, "go on with what is recorded from now on, until interrupted")
	f.StringVar(&fl.since, "since", "", "only what is not older than that, such as 30m, 1h or 7d")
	f.StringVarP(&fl.format, "output", "o", "table", "table, or json: a line each, as recorded, with the machine")
	completeFlag(cmd, "output", "table", "json")
	return cmd
}

type logFlags struct {
	follow              bool
	since, format, name string
}

func (c *cli) runLog(ctx context.Context, fl logFlags) error {
	l := logView{logFlags: fl, out: bufio.NewWriter(c.out)}
	if fl.since != "" {
		d, ok := config.ParseDuration(fl.since)
		if !ok {
			return fail("30m, 1h or 7d", "--since %s: not understood", fl.since)
		}
		l.from = c.now().Add(-d)
	}
	var err error
	if l.dir, err = config.StateDir(c.getenv); err != nil {
		return err
	}
	defer l.close()
	if err := l.show(); err != nil {
		return err
	}
	if !fl.follow {
		return l.end()
	}
	return l.followUntil(ctx)
}

// A logView shows the records of a state folder.
type logView struct {
	logFlags
	dir     string
	from    time.Time
	out     *bufio.Writer
	readers []*audit.Reader
	printed int // lines
}

func (l *logView) close() {
	for _, r := range l.readers {
		r.Close()
	}
}

// meet begins to read what machines have written that were not there before.
func (l *logView) meet() error {
	hosts, err := audit.Hosts(l.dir)
	for _, host := range hosts {
		if !slices.ContainsFunc(l.readers, func(r *audit.Reader) bool { return r.Host == host }) {
			l.readers = append(l.readers, &audit.Reader{Dir: l.dir, Host: host})
		}
	}
	return err
}

// show prints what has come since it was called last.
func (l *logView) show() error {
	if err := l.meet(); err != nil {
		return err
	}
	return l.print(func(r *audit.Reader, each func(audit.Item)) error { return r.Read(each) })
}

// end prints what came without an end.
func (l *logView) end() error {
	err := l.print(func(r *audit.Reader, each func(audit.Item)) error { r.End(each); return nil })
	if err == nil && l.printed == 0 && l.format == "table" {
		l.sayNothing()
	}
	return err
}

// print prints what read finds, of several machines by time; what one has written
// stays in its order, whatever its clock did.
func (l *logView) print(read func(*audit.Reader, func(audit.Item)) error) error {
	var all []logLine
	for _, r := range l.readers {
		var at time.Time
		err := read(r, func(i audit.Item) {
			if !i.Damaged {
				at = i.Record.Time
			}
			all = append(all, l.lines(r.Host, i, at)...)
		})
		if err != nil {
			return err
		}
	}
	if len(l.readers) > 1 {
		slices.SortStableFunc(all, func(x, y logLine) int { return x.at.Compare(y.at) })
	}
	for _, line := range all {
		l.out.WriteString(line.text)
	}
	l.printed += len(all)
	return l.out.Flush()
}

func (l *logView) followUntil(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var failed error
	show := func() {
		if failed = l.show(); failed != nil {
			stop(failed)
		}
	}
	watch.Folder(ctx, l.dir, watch.Options{Match: audit.IsLog, Shared: kubeconfig.Shared, State: func(err error) {
		if err == nil {
			show() // what came before anybody watched
		}
	}}, show)
	return failed
}
