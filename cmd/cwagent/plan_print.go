package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cwagent/cwagent/ipc"
)

// check turns an import that finds nothing into an answer.
func (p *planner) check(named bool) error {
	for _, want := range p.flags.users {
		found := slices.ContainsFunc(p.plans, func(pl *plan) bool {
			return slices.ContainsFunc(pl.Items, func(it *item) bool { return it.User == want })
		})
		if !found {
			return fail("cwagent import --dry-run shows the users with static tokens", "--user %s: no such user with a static token", want)
		}
	}
	if len(p.plans) > 0 {
		return nil
	}
	if p.blocked != nil {
		return p.blocked
	}
	if len(p.ours) > 0 || slices.ContainsFunc(p.skipped, func(s skip) bool { return s.Kind == "token" || s.Config != "" }) {
		return nil
	}
	hint := "users with an exec block, a certificate or a password are left alone"
	switch {
	case len(p.offered) > 0:
		hint = quotedWords(p.offered[0].Command)
	case !named:
		hint = "name a file: cwagent import FILE"
	}
	return fail(hint, "import: no static token found")
}

// checkOurs makes sure that the agent has what the files refer to already.
func (p *planner) checkOurs(ctx context.Context) error {
	s, err := p.agent.Status(ctx, ipc.StatusRequest{})
	if err != nil {
		return err
	}
	for _, name := range p.ours {
		if !slices.ContainsFunc(s.Credentials, func(c ipc.Credential) bool { return c.Name == name }) {
			return fail("make a new token at "+consolePage+", then: cwagent add NAME --server URL",
				"import: the file refers to credential %q, which the agent does not have", name)
		}
	}
	return nil
}

// print shows the plan.
func (p *planner) print(ctx context.Context) error {
	if p.flags.output == "json" {
		return p.printJSON()
	}
	for _, f := range p.files {
		p.printFile(f.Path)
	}
	p.printMerge()
	if len(p.plans) == 0 && len(p.ours) > 0 {
		if err := p.checkOurs(ctx); err != nil {
			return err
		}
		fmt.Fprintf(p.out, "nothing to import: cwagent serves %s already\n", printable(strings.Join(p.ours, ", ")))
	}
	for _, o := range p.offered {
		fmt.Fprintf(p.err, "note: %s holds a token, too: %s\n", printable(o.File), quotedWords(o.Command))
	}
	return nil
}

func (p *planner) printItem(it *item) {
	user := printable(it.User)
	if it.NewUser != "" {
		user += ", renamed " + it.NewUser
	}
	fmt.Fprintf(p.out, "  user        %s\n", user)
	credential := strings.TrimRight(it.Credential+" "+cmp.Or(it.ID, it.label), " ")
	switch {
	case it.Replaces:
		credential += ", in the place of the token that it has"
	case it.Former:
		credential += ", which had this token before and has a newer one"
	}
	fmt.Fprintf(p.out, "  credential  %s\n", credential)
	if !it.Former { // the end of that one is nobody's business any more
		fmt.Fprintf(p.out, "  expiry      %s\n", expiryWords(it.Expiry, it.Expires))
	}
	if it.Knew != nil {
		fmt.Fprintf(p.err, "note: %s: so far it %s: --expires moves that later\n", it.Credential, expiryWords(ipc.ExpiryKnown, it.Knew))
	}
	for _, s := range it.Servers {
		fmt.Fprintf(p.out, "  server      %s\n", serverWords(s))
	}
	if len(it.Servers) == 0 {
		fmt.Fprintf(p.out, "  server      none: no context uses this user (later: cwagent servers %s --add URL)\n", it.Credential)
	}
	fmt.Fprintf(p.out, "  plugin      %s\n", printable(strings.Join(it.Exec, " ")))
}

// printFile shows what becomes of the users of one file. What is left alone takes
// one line a user.
func (p *planner) printFile(path string) {
	shown := false
	head := func() {
		if !shown {
			fmt.Fprintln(p.out, printable(path))
		}
		shown = true
	}
	for _, pl := range p.plans {
		if pl.File != path {
			continue
		}
		head()
		for _, it := range pl.Items {
			p.printItem(it)
		}
		printDiff(p.out, pl.Diff)
	}
	for _, re := range p.renames {
		if re.File == path {
			head()
			fmt.Fprintf(p.out, "  contexts    %s: user %s of %s, renamed %s\n", printable(strings.Join(re.Contexts, ", ")), printable(re.From), printable(re.Of), printable(re.To))
			printDiff(p.out, re.Diff)
		}
	}
	for _, s := range p.skipped {
		if s.File != path {
			continue
		}
		head()
		fmt.Fprintf(p.out, "  user %s is left alone: %s\n", printable(s.User), s.Why)
		p.printLines(s.Config)
		if s.Exec != "" {
			fmt.Fprintf(p.out, "    and in the kubeconfig, in the place of line %d, with its tokenFile:\n", s.Line)
			p.printLines(s.Exec)
		}
	}
}

// printLines shows lines for another file.
func (p *planner) printLines(text string) {
	for line := range strings.Lines(text) {
		fmt.Fprint(p.out, "      "+printableLine(strings.TrimRight(line, "\n"))+"\n")
	}
}

func (p *planner) printJSON() error {
	doc := struct {
		DryRun  bool      `json:"dryRun"`
		Files   []*plan   `json:"files"`
		Renamed []*rename `json:"renamedReferences"`
		Merged  *merge    `json:"merge,omitempty"`
		Skipped []skip    `json:"skipped"`
		Already []string  `json:"already"`
		Offered []offer   `json:"offered"` // downloads with a token that nobody named
	}{
		p.flags.dryRun, append([]*plan{}, p.plans...), append([]*rename{}, p.renames...), p.merge, append([]skip{}, p.skipped...), append([]string{}, p.ours...), append([]offer{}, p.offered...),
	}
	return writeJSON(p.out, doc)
}
