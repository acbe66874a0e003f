package absorb

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/agent/rewritten"
	"github.com/cwagent/cwagent/ipc"
)

// rewrite writes what was decided into the file. It is our turn.
func (e *examination) rewrite(ctx context.Context) {
	if err := e.read.Writable(); err != nil {
		for _, d := range e.decided {
			e.fail(&kubeconfig.User{Name: d.user}, ipc.WatchFound, err)
		}
		return
	}
	if err := e.read.Locked(); err != nil {
		e.out.busy = true
		e.left(err)
		return
	}
	plugin, err := e.Plugin()
	if err != nil {
		e.left(err)
		return
	}
	r := &rewriting{examination: e, plugin: plugin}
	err = e.read.RewriteWhile(
		func(f *kubeconfig.File) ([]byte, error) { return r.edit(ctx, f) },
		func() error { return r.holds(ctx) })
	if err != nil || len(r.done) == 0 { // an earlier edit may have had something to note
		err = errors.Join(err, r.takeBack())
	}
	if err != nil {
		e.left(err)
		return
	}
	for _, x := range r.refused {
		e.say(nil, x)
		e.out.busy = e.out.busy || x.again
	}
	for _, d := range r.done {
		x := finding{Watch: ipc.Watch{State: ipc.WatchAbsorbed, Why: "it is the token of the credential", Credential: d.holding.Credential}}
		switch {
		case d.fresh:
			x.Why, x.undated = itIsNew+"; when it ends is not known", d.holding.Label
			x.Hint = "cwagent add " + d.holding.Credential + " --same --expires DATE says it"
		case !d.holding.Current:
			x.Why = "the credential has a newer token, which stays"
		}
		e.say(&kubeconfig.User{Name: d.user}, x)
	}
}

// left says of all that was decided that it was not done.
func (e *examination) left(err error) {
	for _, d := range e.decided {
		e.again(&kubeconfig.User{Name: d.user}, d.holding.Credential, err)
	}
}

// A rewriting is one attempt to write the file; edit is called anew where others
// write it meanwhile.
type rewriting struct {
	*examination
	plugin  string
	done    []decision
	refused []finding // users that are left as they are
	notes   []func() error
}

// takeBack removes what was noted for a file that was not written.
func (r *rewriting) takeBack() error {
	var errs []error
	for _, back := range slices.Backward(r.notes) {
		errs = append(errs, back())
	}
	return errors.Join(errs...)
}

// edit returns the text of f with references in the place of the tokens that were
// decided on. A user that cannot be edited is said, and keeps no other from it.
func (r *rewriting) edit(ctx context.Context, f *kubeconfig.File) ([]byte, error) {
	r.done, r.refused = nil, nil
	s, err := r.Agent.Status(ctx, ipc.StatusRequest{})
	if err != nil {
		return nil, err
	}
	r.credentials = s.Credentials
	changes := r.changes(ctx, f)
	text, undo, err := f.Edit(changes)
	if err != nil {
		changes = r.possible(f, changes)
		text, undo, err = f.Edit(changes)
	}
	if err != nil || len(changes) == 0 {
		return text, err
	}
	noted := undo // in the order of the changes, without users that had our block already
	for _, c := range changes {
		d := r.decisionOf(f.Users[c.User])
		r.done = append(r.done, *d)
		if f.Users[c.User].Ours == "" {
			noted[0].Label, noted = d.holding.Label, noted[1:]
		}
	}
	back, err := r.Rewritten.Note(f, text, r.Now(), undo)
	if err != nil {
		return nil, err
	}
	r.notes = append(r.notes, back)
	return text, nil
}

// changes are those of the users that are still there as they were judged. Since
// then a restore or an import may have had its turn, and one that failed has
// forgotten the credential again; a person may do that at any time.
func (r *rewriting) changes(ctx context.Context, f *kubeconfig.File) []kubeconfig.Change {
	var out []kubeconfig.Change
	why, hint := r.kept()
	if err := r.recall(); err != nil {
		why, hint = r.words(err)
	}
	named := map[string]bool{}
	for i, u := range f.Users {
		d := r.decisionOf(u)
		switch {
		case d == nil:
			continue
		case r.putBack(&u):
			r.leave(u, r.restored())
			continue
		case why != "":
			r.leave(u, finding{Watch: ipc.Watch{State: ipc.WatchFound, Why: why, Hint: hint}})
			continue
		case !r.renew(ctx, d, &u):
			r.leave(u, finding{Watch: ipc.Watch{State: ipc.WatchWaiting, Why: changed(d.holding.Credential).Error()}, again: true})
			continue
		}
		change := kubeconfig.Change{User: i, Exec: kubeconfig.Exec{Command: r.plugin, Credential: d.holding.Credential}}
		// As import does: downloads collide on that name.
		if u.Name == "token" && u.Ours == "" && len(u.Contexts) > 0 && !r.meantElsewhere(f, u.Name) {
			change.NewName = kubeconfig.UserName(d.holding.Credential, func(name string) bool { return named[name] || slices.Contains(f.Names, name) })
			named[change.NewName] = true
		}
		out = append(out, change)
	}
	return out
}

// renew brings a decision up to date, and reports whether it still holds.
func (r *rewriting) renew(ctx context.Context, d *decision, u *kubeconfig.User) bool {
	servers, err := canonical(u.Servers)
	if err != nil {
		return false
	}
	h, ok := r.recognize(u, servers)
	if c, there := r.credential(d.holding.Credential); !ok && there && serves(c, servers) {
		h, ok, _ = r.Agent.Former(ctx, c.Name, u.Token, r.id) // not to be known now is not to be so
	}
	c, there := r.credential(h.Credential)
	if !ok || !there || !h.Saved {
		return false
	}
	d.holding, d.revision = h, c.Revision
	return true
}

// holds makes sure, at the last moment, that all credentials that the file is about
// to refer to are as they were when it was edited: after that the token is nowhere
// else.
func (r *rewriting) holds(ctx context.Context) error {
	s, err := r.Agent.Status(ctx, ipc.StatusRequest{})
	if err != nil {
		return err
	}
	r.credentials = s.Credentials
	for _, d := range r.done {
		if c, there := r.credential(d.holding.Credential); !there || c.Revision != d.revision || !c.Saved {
			return changed(d.holding.Credential)
		}
	}
	return nil
}

func changed(credential string) error {
	return &ipc.Error{Code: ipc.CodeChanged, What: fmt.Sprintf("credential %q has changed meanwhile", credential)}
}

// leave says why a user is left as it is.
func (r *rewriting) leave(u kubeconfig.User, x finding) {
	x.User = kubeconfig.HideTokens(u.Name)
	r.refused = append(r.refused, x)
}

func (r *rewriting) decisionOf(u kubeconfig.User) *decision {
	i := slices.IndexFunc(r.decided, func(d decision) bool { return d.user == u.Name && d.token.Equal(u.Token) })
	if i < 0 {
		return nil
	}
	return &r.decided[i]
}

// possible leaves out the changes that cannot be made.
func (r *rewriting) possible(f *kubeconfig.File, all []kubeconfig.Change) []kubeconfig.Change {
	can, cannot := f.Editable(all)
	for _, c := range cannot {
		why, hint := r.words(c.Err)
		r.leave(f.Users[c.User], finding{Watch: ipc.Watch{State: ipc.WatchFound, Why: why, Hint: hint}})
	}
	return can
}

// meantElsewhere reports whether a context of another kubeconfig names that user
// of f: KUBECONFIG may list both.
func (r *rewriting) meantElsewhere(f *kubeconfig.File, user string) bool {
	for _, other := range r.sorted() {
		if other.kind != ipc.WatchKubeconfig || rewritten.Path(other.path) == rewritten.Path(f.Path) {
			continue
		}
		b, err := contents(other.path, other.kind)
		if err != nil {
			continue
		}
		g, err := (&kubeconfig.File{Path: other.path}).With(b)
		if err != nil {
			continue
		}
		if _, _, err := g.RenameReferences(user, user+"-"); err == nil {
			return true
		}
	}
	return false
}
