package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/ipc"
)

// A mender mends one finding. It is the cli, as the person's answers leave it.
type mender struct {
	*cli
	yes bool
}

// errLeft says that the person does not want it mended.
var errLeft = errors.New("left as it is")

// mendAll mends what can be mended, each when the person agrees. What fails does not
// keep the next from being mended.
func (c *cli) mendAll(ctx context.Context, all []examined, fl doctorFlags) (out []fixed) {
	m := mender{c, fl.yes}
	if fl.output == "json" { // its output is one JSON text
		other := *c
		other.out = c.err
		m.cli = &other
	}
	out = []fixed{}
	mended := map[string]bool{} // by the command: it may be the cure of several
	lock := slices.IndexFunc(all, func(k examined) bool { return k.Name == "lock" })
	if lock > 0 { // it stands in the way of whatever rewrites a file
		all = slices.Concat(all[lock:lock+1], all[:lock], all[lock+1:])
	}
	for _, k := range all {
		for _, f := range k.Findings {
			if f.fix == nil || ctx.Err() != nil || f.Command != "" && mended[f.Command] {
				continue
			}
			done := fixed{Check: k.Name, Cause: f.Cause}
			fmt.Fprintf(m.out, "\n%s: %s\n", k.Name, f.Cause)
			yes, err := m.agrees(ctx, f)
			switch {
			case err == nil && !yes:
				err = errLeft
			case err == nil:
				err = f.fix(ctx, m)
			}
			if errors.Is(err, errLeft) {
				fmt.Fprintln(m.err, errLeft)
				continue
			}
			if done.Done = err == nil; !done.Done {
				done.Error = why(err)
				fmt.Fprintf(m.err, "note: not mended: %s\n", done.Error)
			}
			mended[f.Command] = done.Done
			out = append(out, done)
		}
	}
	if len(out) == 0 && ctx.Err() == nil {
		fmt.Fprintln(m.err, "nothing was mended")
	}
	return out
}

func (m mender) agrees(ctx context.Context, f finding) (bool, error) {
	if m.yes || f.shows {
		return true, nil
	}
	what := f.Mend
	if what == "" {
		what = f.Command
	}
	return m.ask(ctx, what+"?")
}

// why is an error in one line.
func why(err error) string {
	var code exitCode
	if errors.As(err, &code) {
		return "it says above why"
	}
	words := err.Error()
	var e *ipc.Error
	if errors.As(err, &e) && e.Hint != "" {
		words += " (" + e.Hint + ")"
	}
	return kubeconfig.HideTokens(printableLine(words))
}

// runs returns a fix that is a command of ours. One that knows --yes gets it, if the
// person has said so.
func runs(args ...string) func(context.Context, mender) error {
	return func(ctx context.Context, m mender) error {
		root := newRoot(m.cli)
		words := args
		if cmd, _, err := root.Find(args); err == nil && m.yes && cmd.Flags().Lookup("yes") != nil {
			words = append(words[:len(words):len(words)], "--yes")
		}
		root.SetArgs(words)
		return root.ExecuteContext(ctx)
	}
}

// removes returns a fix that removes a file, if it still is the one that was seen.
func removes(path string, seen os.FileInfo) func(context.Context, mender) error {
	return func(context.Context, mender) error {
		now, err := os.Lstat(path)
		if err != nil || !os.SameFile(now, seen) || !now.ModTime().Equal(seen.ModTime()) {
			return errors.New("it is not the one any more that was seen")
		}
		return os.Remove(path)
	}
}
