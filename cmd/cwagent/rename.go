package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cwagent/cwagent/agent/kubeconfig"
)

// A rename is what becomes of the contexts of one file that name a user of
// another one, which gets a new name there.
type rename struct {
	File       string   `json:"file"`
	Of         string   `json:"of"` // the file of the user
	From       string   `json:"from"`
	To         string   `json:"to"`
	Credential string   `json:"credential"`
	Contexts   []string `json:"contexts"`
	Diff       string   `json:"diff,omitempty"`
}

// planRenames finds the contexts in other files that have to follow a user.
func (p *planner) planRenames() error {
	for _, pl := range p.plans {
		for _, it := range pl.Items {
			if it.NewUser == "" {
				continue
			}
			for _, f := range pl.file.Users[it.change.User].Elsewhere {
				if err := p.planRename(f, pl, it); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (p *planner) planRename(f *kubeconfig.File, pl *plan, it *item) error {
	text, undo, err := f.RenameReferences(it.User, it.NewUser)
	if err != nil {
		return err
	}
	re := &rename{File: f.Path, Of: pl.File, From: it.User, To: it.NewUser, Credential: it.Credential}
	for _, ref := range undo.References {
		re.Contexts = append(re.Contexts, ref.Context)
	}
	if p.showsDiff() {
		before, _, err := f.Edit(nil)
		if err != nil {
			return err
		}
		re.Diff = safeDiff(before, text)
	}
	p.renames = append(p.renames, re)
	return f.Writable()
}

// follow renames the references of one file, right after the user has its new
// name. If that fails, the person has to do it: the token is at the agent by now.
func (p *planner) follow(re *rename) error {
	takeBack := func() error { return nil }
	f, err := kubeconfig.Read(re.File)
	if err == nil {
		err = f.Rewrite(func(f *kubeconfig.File) ([]byte, error) {
			text, undo, err := f.RenameReferences(re.From, re.To)
			if err != nil {
				return nil, err
			}
			undo.Credential = re.Credential
			if err := takeBack(); err != nil { // of an attempt before this one
				return nil, err
			}
			takeBack, err = p.folder.Note(f, text, p.now(), []kubeconfig.Undo{undo})
			return text, err
		})
	}
	if err == nil {
		return nil
	}
	hint := fmt.Sprintf("its contexts name user %s, which is %s now: kubectl --kubeconfig %s config set-context %s --user=%s",
		re.From, re.To, quotedWord(re.File), quotedWord(re.Contexts[0]), re.To)
	return errors.Join(fail(hint, "%v", err), takeBack())
}

// isReference reports whether undo data is about contexts that name a user of
// another file.
func isReference(u kubeconfig.Undo) bool { return u.Token.Exec == "" && len(u.References) > 0 }

// references plans what follows from users of a file getting their old names
// back: contexts elsewhere name them.
func (r *restorer) references(re *restore) error {
	for _, rec := range r.records {
		for _, u := range rec.Users {
			if !isReference(u) || !slices.ContainsFunc(re.Users, func(had restoredUser) bool { return had.From == u.User && had.User == u.Was }) {
				continue
			}
			f, err := kubeconfig.Read(rec.Path)
			if err != nil {
				fmt.Fprintf(r.err, "note: its contexts keep the user name %s: %v\n", u.User, err)
				continue
			}
			after, exact, err := f.RestoreReferences(u)
			if err != nil {
				return err
			}
			out := &restore{File: rec.Path, Users: []restoredUser{}, Taken: []taken{}, Renamed: &u, Diff: safeDiff(f.Text(), after)}
			if out.Result = "byte for byte as it was"; !exact || len(rec.Users) > 1 {
				out.Result = fmt.Sprintf("its contexts name user %s again", u.Was)
			}
			r.files = append(r.files, out)
		}
	}
	return nil
}
