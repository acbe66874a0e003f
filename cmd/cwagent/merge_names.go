package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cwagent/cwagent/agent/kubeconfig"
)

// A contextName is a --rename-context: what a context is to be called whose own name
// means another one in the target.
type contextName struct {
	old   string // empty: the only one whose name is taken
	fresh string
}

// contextNames reads --rename-context.
func contextNames(fl importFlags) ([]contextName, error) {
	var out []contextName
	for _, s := range fl.renameContext {
		old, fresh, both := strings.Cut(s, "=")
		if !both {
			old, fresh = "", s
		}
		switch {
		case !fl.merge:
			return nil, fail("cwagent import --help", "--rename-context: it goes with --merge")
		case fresh == "" || both && old == "":
			return nil, fail("--rename-context OLD=NEW", "--rename-context %s: a name is missing", s)
		case old == "" && len(fl.renameContext) > 1:
			return nil, fail("--rename-context OLD=NEW, once for each", "--rename-context %s: there are several, and this one does not say of which context", s)
		}
		out = append(out, contextName{old, fresh})
	}
	return out, nil
}

// checkAsked refuses a --rename-context of a context that is in no file.
func (p *planner) checkAsked() error {
	for _, n := range p.asked {
		has := func(f *kubeconfig.File) bool { return f.Has("context", n.old) }
		if n.old != "" && !slices.ContainsFunc(p.files, has) {
			return fail("kubectl --kubeconfig FILE config get-contexts lists them", "--rename-context %s=%s: no file has such a context", n.old, n.fresh)
		}
	}
	return nil
}

// newName settles what something is called whose name means another thing in
// the target. Clusters and users are only ever named by contexts.
func (p *planner) newName(ctx context.Context, kind, name string, into, from *kubeconfig.File) (string, error) {
	taken := func(s string) bool { return into.Has(kind, s) || from.Has(kind, s) }
	if kind != "context" {
		fresh := name
		for n := 2; taken(fresh); n++ {
			fresh = fmt.Sprintf("%s-%d", name, n)
		}
		return fresh, nil
	}
	fresh, err := p.contextName(ctx, name, func(s string) bool { return taken(s) || p.given[s] })
	if p.given == nil {
		p.given = map[string]bool{}
	}
	p.given[fresh] = true
	return fresh, err
}

// contextName settles what a context is called: as --rename-context says, else as a
// person does.
func (p *planner) contextName(ctx context.Context, name string, taken func(string) bool) (string, error) {
	if i := slices.IndexFunc(p.asked, func(n contextName) bool { return n.old == name || n.old == "" }); i >= 0 {
		fresh := p.asked[i].fresh
		p.asked = slices.Delete(p.asked, i, i+1)
		if taken(fresh) {
			return "", fail("choose another one", "--rename-context %s: that name is taken, too", fresh)
		}
		return fresh, nil
	}
	if p.flags.yes || p.flags.dryRun || !terminal(p.in) {
		return "", fail("--rename-context "+quotedWord(name)+"=NEW gives it another name", "--merge: %s has another context %q already", p.target(), name)
	}
	for {
		fmt.Fprintf(p.err, "%s has another context %s already. What is the new one to be called? ", printable(p.target()), printable(name))
		fresh, err := p.readLine(ctx)
		switch {
		case err != nil:
			return "", err
		case fresh == "":
			fmt.Fprintln(p.err, "  it needs a name; Ctrl-C leaves everything as it is")
		case taken(fresh):
			fmt.Fprintf(p.err, "  %s is taken, too; Ctrl-C leaves everything as it is\n", printable(fresh))
		default:
			return fresh, nil
		}
	}
}
