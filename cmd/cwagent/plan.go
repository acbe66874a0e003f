package main

import (
	"context"
	"os"
	"slices"
	"time"

	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/agent/rewritten"
	"github.com/cwagent/cwagent/ipc"
)

// A planner finds out what an import would do, without doing it.
type planner struct {
	*cli
	agent  ipc.Agent
	flags  importFlags
	plugin string
	folder rewritten.Folder
	shared func(path string) (name string, yes bool) // kubeconfig.Shared

	names map[string]string         // of the credentials planned so far, by their token
	taken map[string]string         // the reverse
	next  map[string]int            // number behind a name of which all before are taken
	lives map[string]string         // what a person has said of a token's life
	had   map[string]ipc.Credential // that have a token of this run already, by the token
	notes []rewritten.File          // of the files that were rewritten before

	files   []*kubeconfig.File // all that were read
	plans   []*plan
	renames []*rename // in files that name users of others
	skipped []skip
	ours    []string         // credentials that the files refer to already
	offered []offer          // downloads that nobody named
	merge   *merge           // nil without --merge
	into    *kubeconfig.File // what is merged into; nil if it is not there
	asked   []contextName    // the rest of --rename-context
	given   map[string]bool  // names that contexts have got in this run
	blocked error            // why a user with an API Access Token is left alone
}

// A plan is what an import does to one file.
type plan struct {
	File  string  `json:"file"`
	Items []*item `json:"users"`
	Diff  string  `json:"diff,omitempty"` // without secrets
	Done  bool    `json:"rewritten"`

	file   *kubeconfig.File
	id     string // public id of the token that a download is about
	named  string // and its name
	tokens []*handover
	latest map[holding]*handover // that has room for more
}

// An item is what an import does to one user.
type item struct {
	User       string       `json:"user"`
	NewUser    string       `json:"newUser,omitempty"`
	Credential string       `json:"credential"`
	ID         string       `json:"id,omitempty"`
	Replaces   bool         `json:"replaces,omitempty"` // the token that the credential has
	Former     bool         `json:"former,omitempty"`   // the credential had the token before: only the file changes
	Line       int          `json:"line"`
	Contexts   []string     `json:"contexts"`
	Servers    []ipc.Server `json:"servers"`
	Expiry     ipc.Expiry   `json:"expiry"`
	Expires    *time.Time   `json:"expires,omitempty"`
	Knew       *time.Time   `json:"knew,omitempty"` // when the agent thinks that the token ends, where that is sooner
	Exec       []string     `json:"exec"`
	Verified   *time.Time   `json:"verified,omitempty"` // when the token, handed over, was last found alive
	Saved      bool         `json:"saved,omitempty"`    // and that it outlives the agent
	change     kubeconfig.Change
	token      ipc.Secret
	label      string    // of the token, where the agent has it
	handover   *handover // nil for a former token
}

// read reads all files first, because a context in one may name a user in
// another, then plans each. One file under two names is one file.
func (p *planner) read(ctx context.Context, paths []string) error {
	p.names, p.taken, p.next = map[string]string{}, map[string]string{}, map[string]int{}
	p.lives, p.had = map[string]string{}, map[string]ipc.Credential{}
	var err error
	if p.notes, err = p.folder.Load(); err != nil {
		return err
	}
	for _, path := range paths {
		f, err := kubeconfig.Read(path)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(p.files, func(g *kubeconfig.File) bool { return os.SameFile(f.Info, g.Info) }) {
			p.files = append(p.files, f)
		}
	}
	if err := kubeconfig.Resolve(p.files); err != nil {
		return err
	}
	for _, f := range p.files {
		if err := p.addFile(ctx, f); err != nil {
			return err
		}
	}
	return p.planRenames()
}

func (p *planner) addFile(ctx context.Context, f *kubeconfig.File) error {
	for _, name := range f.Ours {
		if !slices.Contains(p.ours, name) {
			p.ours = append(p.ours, name)
		}
	}
	p.leaveOthers(f)
	pl := &plan{File: f.Path, file: f, latest: map[holding]*handover{}}
	pl.id, pl.named = downloaded(f.Path)
	p.plans = append(p.plans, pl) // now, so that its own users are seen by planned
	for i, u := range f.Users {
		if s := p.leaveAlone(f, u); s != nil {
			p.skipped = append(p.skipped, *s)
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
	if err := p.checkShared(ctx, f); err != nil {
		return err
	}
	after, _, err := f.Edit(pl.changes())
	if err != nil {
		return err
	}
	if p.showsDiff() {
		before, _, err := f.Edit(nil)
		if err != nil {
			return err
		}
		pl.Diff = safeDiff(before, after)
	}
	return f.Writable()
}

// showsDiff reports whether somebody is going to look at the plan.
func (p *planner) showsDiff() bool { return p.flags.dryRun || !p.flags.yes || p.flags.output == "json" }

// checkShared refuses a file that other machines share while the store is this
// machine's own: there the token would be missing.
func (p *planner) checkShared(ctx context.Context, f *kubeconfig.File) error {
	name, shared := p.shared(f.Path)
	if !shared || p.flags.ephemeral {
		return nil
	}
	status, err := p.agent.Status(ctx, ipc.StatusRequest{})
	if err != nil || everywhere(f.Path, p.folder.Dir, status.Store) {
		return err
	}
	return fail("cwagent store init file makes a store that they reach, where the HOME is theirs, too; --ephemeral accepts that for this machine; nothing was changed",
		"%s: it lies on %s, and the other machines that share it cannot reach this one's %s", f.Path, name, status.Store.Kind)
}

// everywhere reports whether all machines that have the file at path reach the store,
// too: it is not one machine's, and what belongs to it lies where the file does.
func everywhere(path, stateDir string, store ipc.StoreInfo) bool {
	if store.OneHost {
		return false
	}
	file, err := os.Stat(path)
	state, err2 := os.Stat(stateDir)
	if err != nil || err2 != nil {
		return false
	}
	a, known := device(file)
	b, _ := device(state)
	return known && a == b
}

func (pl *plan) changes() []kubeconfig.Change {
	var out []kubeconfig.Change
	for _, it := range pl.Items {
		out = append(out, it.change)
	}
	return out
}
