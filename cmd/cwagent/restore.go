package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
)

// restoreFlags are the flags of restore.
type restoreFlags struct {
	all    bool
	dryRun bool
	yes    bool
	output string
}

func (c *cli) newRestore() *cobra.Command {
	var fl restoreFlags
	cmd := &cobra.Command{
		Use:   "restore [FILE...]",
		Short: "Put tokens back into kubeconfigs: the reverse of import",
		Long: `Put tokens back into kubeconfigs: the reverse of import. A file that nobody has
edited since is byte for byte as it was, if its token still is the current one.
Otherwise the current token stands in the place of the old one, and what others
have edited stays as they left it. What import --merge has added to a kubeconfig is
taken out of it again, but for what others have edited since or use.

The secret is then on disk again, in clear. The agent keeps its credentials:
"cwagent forget NAME" removes one. A token goes back only where all servers that
kubectl would send it to are those of its credential; for a user that import is
not known to have written you are asked, whatever --yes says.

Without FILE: the files of KUBECONFIG, else ~/.kube/config. With --all: every
file that import has rewritten.`,
		Example: `  cwagent restore ~/Downloads/CWKubeconfig_cwtoken-3f9a1c7e-prod
  cwagent restore --all --dry-run`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.runRestore(cmd.Context(), args, fl)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&fl.all, "all", false, "every file that import has rewritten")
	f.BoolVar(&fl.dryRun, "dry-run", false, "show what would be done, change nothing")
	f.BoolVarP(&fl.yes, "yes", "y", false, "do not ask before a token is written to disk where import took it from")
	f.StringVarP(&fl.output, "output", "o", "text", "text or json")
	completeFlag(cmd, "output", "text", "json")
	return cmd
}

func (c *cli) runRestore(ctx context.Context, args []string, fl restoreFlags) error {
	if err := oneOf(fl.output, "text", "json"); err != nil {
		return err
	}
	if fl.all && len(args) > 0 {
		return fail("cwagent restore --help", "restore: files and --all do not go together")
	}
	a, err := c.agent()
	if err != nil {
		return err
	}
	folder, err := c.rewrittenFiles()
	if err != nil {
		return err
	}
	r := &restorer{cli: c, agent: a, flags: fl, folder: folder, tokens: map[string]held{}}
	if err := r.plan(ctx, args); err != nil {
		return err
	}
	if err := r.print(); err != nil {
		return err
	}
	if fl.dryRun || len(r.files) == 0 {
		return r.exit()
	}
	if slices.ContainsFunc(r.files, func(re *restore) bool { return len(re.Users) > 0 }) {
		fmt.Fprintln(c.err, "The tokens will be on disk again, in clear.")
	}
	yes, err := r.agreed(ctx)
	if err != nil {
		return err
	}
	if !yes {
		fmt.Fprintln(c.err, "nothing was changed")
		return nil
	}
	if err := r.carryOut(ctx); err != nil {
		return err
	}
	return r.exit()
}

// exit is 1 where a file was skipped that should have been restored.
func (r *restorer) exit() error {
	if r.failed {
		return exitCode(1)
	}
	return nil
}

// print shows what is going to be done, without the tokens.
func (r *restorer) print() error {
	if r.flags.output == "json" {
		return writeJSON(r.out, struct {
			DryRun bool       `json:"dryRun"`
			Files  []*restore `json:"files"`
			Gone   []string   `json:"gone"`
		}{r.flags.dryRun, append([]*restore{}, r.files...), append([]string{}, r.gone...)})
	}
	for _, re := range r.files {
		fmt.Fprintln(r.out, printable(re.File))
		for _, u := range re.Users {
			user := printable(u.From)
			if u.User != u.From {
				user += ", renamed " + printable(u.User)
			}
			fmt.Fprintf(r.out, "  user        %s\n  credential  %s, %s\n", user, u.Credential, u.words())
			for _, s := range u.Servers {
				fmt.Fprintf(r.out, "  server      %s\n", serverWords(s))
			}
			if len(u.Servers) == 0 {
				fmt.Fprintln(r.out, "  server      none: no context uses this user")
			}
		}
		for _, t := range re.Taken {
			fmt.Fprintf(r.out, "  takes out   %s %s\n", t.Kind, printable(t.Name))
		}
		if u := re.Renamed; u != nil {
			fmt.Fprintf(r.out, "  contexts    of user %s, renamed %s\n", printable(u.User), printable(u.Was))
		}
		fmt.Fprintf(r.out, "  result      %s\n", re.Result)
		if r.flags.dryRun || !r.flags.yes {
			printDiff(r.out, re.Diff)
		}
	}
	for _, path := range r.gone {
		fmt.Fprintf(r.err, "note: %s is gone: skipped\n", printable(path))
	}
	return nil
}

// carryOut writes the files. One that cannot be written does not keep the others
// from it: each stands for itself.
func (r *restorer) carryOut(ctx context.Context) error {
	ctx = context.WithoutCancel(ctx)
	done, err := r.folder.Turn()
	if err != nil {
		return err
	}
	defer done()
	var credentials []string
	stuck := false // the file before: contexts elsewhere go on naming its users as they are
	for _, re := range r.files {
		if re.Renamed != nil && stuck {
			continue
		}
		err := r.apply(ctx, re)
		if err != nil && len(r.files) == 1 {
			return err
		}
		if re.Renamed == nil {
			stuck = err != nil
		}
		if err != nil {
			r.failed = true
			fmt.Fprintf(r.err, "note: not restored: %s\n", printableLine(err.Error()))
			continue
		}
		if r.flags.output == "text" {
			fmt.Fprintf(r.out, "%s: restored, %s\n", printable(re.File), re.Result)
		}
		for _, u := range re.Users {
			if !slices.Contains(credentials, u.Credential) {
				credentials = append(credentials, u.Credential)
			}
		}
	}
	for _, name := range credentials {
		fmt.Fprintf(r.err, "note: the agent still has credential %s; if nothing else uses it: cwagent forget %s\n", name, name)
	}
	return nil
}
