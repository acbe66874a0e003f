package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/ipc"
)

// A planner finds out what an import would do, without doing it.
type planner struct {
	*cli
	agent  ipc.Agent
	flags  importFlags
	plugin string
	shared func(path string) (name string, yes bool) // kubeconfig.Shared

	plans   []*plan
	skipped []skip
	ours    []string // credentials that the files refer to already
}

// A plan is what an import does to one file.
type plan struct {
	File  string  `json:"file"`
	Items []*item `json:"users"`

	file *kubeconfig.File
}

// An item is what an import does to one user.
type item struct {
	User       string         `json:"user"`
	NewUser    string         `json:"newUser,omitempty"`
	Credential string         `json:"credential"`
	ID         string         `json:"id,omitempty"`
	Contexts   []string       `json:"contexts"`
	Servers    []ipc.Server   `json:"servers"`
	Expiry     ipc.Expiry     `json:"expiry"`
	Expires    *time.Time     `json:"expires,omitempty"`
	Exec       []string       `json:"exec"`
	request    ipc.AddRequest // with the secret
	change     kubeconfig.Change
	added      ipc.Credential // what became of it
}

// A skip is a user that is left alone, and why.
type skip struct {
	File string `json:"file"`
	User string `json:"user"`
	Why  string `json:"why"`
}

// read reads all files first, because a context in one may name a user in
// another, then plans each. One file under two names is one file.
func (p *planner) read(ctx context.Context, paths []string) error {
	var files []*kubeconfig.File
	for _, path := range paths {
		f, err := kubeconfig.Read(path)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(files, func(g *kubeconfig.File) bool { return os.SameFile(f.Info, g.Info) }) {
			files = append(files, f)
		}
	}
	if err := kubeconfig.Resolve(files); err != nil {
		return err
	}
	for _, f := range files {
		if err := p.addFile(ctx, f); err != nil {
			return err
		}
	}
	return nil
}

func (p *planner) addFile(ctx context.Context, f *kubeconfig.File) error {
	p.ours = append(p.ours, f.Ours...)
	pl := &plan{File: f.Path, file: f}
	p.plans = append(p.plans, pl) // now, so that its own users are seen by planned
	for i, u := range f.Users {
		if why := p.leaveAlone(u); why != "" {
			p.skipped = append(p.skipped, skip{f.Path, u.Name, why})
			continue
		}
		it, err := p.addUser(ctx, pl, i)
		if err != nil {
			return err
		}
		pl.Items = append(pl.Items, it)
	}
	if len(pl.Items) == 0 {
		p.plans = p.plans[:len(p.plans)-1]
		return nil
	}
	// Find out now, before anything is changed, that the file can be edited.
	if err := p.checkShared(f); err != nil {
		return err
	}
	if _, err := f.Edit(pl.changes()); err != nil {
		return err
	}
	return f.Writable()
}

// checkShared refuses a file that other machines share while the store is this
// machine's own: there the token would be missing.
func (p *planner) checkShared(f *kubeconfig.File) error {
	name, shared := p.shared(f.Path)
	if !shared || p.flags.ephemeral {
		return nil
	}
	return fail("--ephemeral accepts that for this machine; nothing was changed",
		"%s: it lies on %s, and the other machines that share it cannot reach this one's keyring", f.Path, name)
}

// leaveAlone returns why a user is not imported, or nothing.
func (p *planner) leaveAlone(u kubeconfig.User) string {
	asked := slices.Contains(p.flags.users, u.Name)
	switch {
	case len(p.flags.users) > 0 && !asked:
		return "not asked for with --user"
	case !asked && !p.flags.all && !agent.IsAPIToken(u.Token):
		return "not a CoreWeave API Access Token (--user NAME or --all imports it)"
	}
	return ""
}

// addUser plans one user; the agent judges the request without acting on it.
func (p *planner) addUser(ctx context.Context, pl *plan, index int) (*item, error) {
	u := pl.file.Users[index]
	id, fromFile := consoleName(pl.File)
	r := ipc.AddRequest{
		Secret: u.Token, ID: id, Servers: u.Servers, CAs: u.CAs, DryRun: true, NoVerify: true,
		Ephemeral: p.flags.ephemeral, AllowPlaintext: p.flags.plaintext,
	}
	created := p.now()
	if id != "" {
		// The Console's download is as old as its token; one from the future,
		// after a copy or with a wrong clock, would make the expiry too late.
		if at := pl.file.Info.ModTime(); at.Before(created) {
			created = at
		}
		r.Created = &created
	}
	life := p.flags.life
	if life.expires == "" && terminal(p.in) && !p.flags.yes && !p.flags.dryRun {
		var err error
		if life.expires, err = p.askExpiry(ctx, pl.File+", the token of user "+printable(u.Name), created); err != nil {
			return nil, err
		}
	}
	if err := life.apply(&r, created, p.now()); err != nil {
		return nil, err
	}
	if err := p.chooseName(ctx, &r, fromFile, u); err != nil {
		return nil, fmt.Errorf("%s: user %q: %w", pl.File, u.Name, err)
	}
	it := &item{
		User: u.Name, Credential: r.Name, ID: id, Contexts: u.Contexts, Servers: u.Servers,
		Expiry: r.Expiry, Expires: r.Expires, Exec: []string{p.plugin, r.Name}, request: r,
		change: kubeconfig.Change{User: index, Exec: kubeconfig.Exec{Command: p.plugin, Credential: r.Name}},
	}
	for i, s := range it.Servers {
		it.Servers[i], _ = agent.Canonical(s) // the agent has judged them
	}
	if u.Name == "token" && len(u.Contexts) > 0 && !u.Foreign {
		it.NewUser = freeUser(pl, "cw-"+r.Name)
		it.change.NewName = it.NewUser
	}
	it.request.DryRun, it.request.NoVerify = false, p.flags.noVerify
	return it, nil
}

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
	if len(p.plans) > 0 || len(p.ours) > 0 || len(p.skipped) > 0 {
		return nil
	}
	hint := "users with an exec block, a certificate or a password are left alone"
	if !named {
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
	for _, pl := range p.plans {
		fmt.Fprintln(p.out, pl.File)
		for _, it := range pl.Items {
			p.printItem(it)
		}
	}
	for _, s := range p.skipped {
		fmt.Fprintf(p.out, "%s\n  user %s is left alone: %s\n", s.File, printable(s.User), s.Why)
	}
	if len(p.plans) == 0 && len(p.ours) > 0 {
		if err := p.checkOurs(ctx); err != nil {
			return err
		}
		fmt.Fprintf(p.out, "nothing to import: cwagent serves %s already\n", printable(strings.Join(p.ours, ", ")))
	}
	return nil
}

func (p *planner) printItem(it *item) {
	user := printable(it.User)
	if it.NewUser != "" {
		user += ", renamed " + it.NewUser
	}
	fmt.Fprintf(p.out, "  user        %s\n", user)
	fmt.Fprintln(p.out, strings.TrimRight("  credential  "+it.Credential+" "+it.ID, " "))
	fmt.Fprintf(p.out, "  expiry      %s\n", expiryWords(it.Expiry, it.Expires))
	for _, s := range it.Servers {
		fmt.Fprintf(p.out, "  server      %s\n", serverWords(s))
	}
	if len(it.Servers) == 0 {
		fmt.Fprintln(p.out, "  server      none: no context uses this user")
	}
	fmt.Fprintf(p.out, "  plugin      %s\n", strings.Join(it.Exec, " "))
}

func (p *planner) printJSON() error {
	doc := struct {
		DryRun  bool     `json:"dryRun"`
		Files   []*plan  `json:"files"`
		Skipped []skip   `json:"skipped"`
		Already []string `json:"already"`
	}{p.flags.dryRun, append([]*plan{}, p.plans...), append([]skip{}, p.skipped...), append([]string{}, p.ours...)}
	enc := json.NewEncoder(p.out)
	enc.SetIndent("", "  ")
	return enc.Encode(doc)
}

func (pl *plan) changes() []kubeconfig.Change {
	var out []kubeconfig.Change
	for _, it := range pl.Items {
		out = append(out, it.change)
	}
	return out
}
