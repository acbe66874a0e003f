package kubeconfig

import (
	"fmt"

	"github.com/cwagent/cwagent/ipc"
)

// A Restored is a user whose token stands in the file again.
type Restored struct {
	User       string // its name now
	From       string // its name in the file as it was read
	Credential string
	Exact      bool // but for the token every byte of it is as it was before the import
}

// A revert is what becomes of one user of ours.
type revert struct {
	*Other
	undo    *Undo // nil: nobody knows what stood there
	name    string
	newName string // empty: it keeps its name
	token   string
	exact   bool
}

// Restore returns the file's text with tokens in the place of our exec blocks.
// Where the file is as Edit left it, every byte is as it was before; where it
// was edited since, or written anew by another program, our users alone are
// reverted. One without undo data gets the token and keeps its name.
func (f *File) Restore(undo []Undo, token func(credential string) (ipc.Secret, error)) (text []byte, users []Restored, err error) {
	reverts, err := f.reverts(undo, token)
	if err != nil {
		return nil, nil, err
	}
	var splices []splice
	for _, r := range reverts {
		s, err := f.revert(r)
		if err != nil {
			return nil, nil, err
		}
		splices = append(splices, s...)
	}
	out, err := f.apply(splices)
	if err != nil {
		return nil, nil, err
	}
	if err := f.check(out, func(t *tree) {
		for _, r := range reverts {
			t.revert(r)
		}
	}); err != nil {
		return nil, nil, err
	}
	for _, r := range reverts {
		done := Restored{User: r.name, From: r.name, Credential: r.Detail, Exact: r.exact}
		if r.newName != "" {
			done.User = r.newName
		}
		users = append(users, done)
	}
	return out, users, nil
}

// reverts plans what becomes of each user of ours.
func (f *File) reverts(undo []Undo, token func(string) (ipc.Secret, error)) ([]*revert, error) {
	known := newMemory(undo)
	taken := f.takenNames()
	var out []*revert
	for i := range f.Others {
		o := &f.Others[i]
		if o.Kind != KindOurs {
			continue
		}
		secret, err := token(o.Detail)
		if err != nil {
			return nil, err
		}
		if secret.Empty() {
			return nil, f.refuseLine(o.Line, fmt.Sprintf("there is no token for credential %q of user %q", o.Detail, o.Name), "")
		}
		r := &revert{Other: o, name: o.Name, token: secret.Reveal(), undo: known.of(o)}
		r.exact = r.undo != nil && r.undo.User == o.Name && r.undo.Credential == o.Detail
		if u := r.undo; u != nil && u.Was != "" && u.User == o.Name && u.Was != o.Name {
			if taken[u.Was] || f.counts[o.Name] > 1 {
				r.exact = false
			} else {
				r.newName = u.Was
				taken[u.Was] = true
			}
		}
		out = append(out, r)
	}
	return out, nil
}

// takenNames are those that no user may be given: a context that names one means
// somebody else, in another file perhaps.
func (f *File) takenNames() map[string]bool {
	taken := map[string]bool{}
	for name := range f.counts {
		taken[name] = true
	}
	for name := range f.config.contextsOf {
		taken[name] = true
	}
	return taken
}

// A memory finds the undo data of a user that somebody may have renamed since,
// or given another credential.
type memory struct {
	both       map[[2]string]*Undo
	user       map[string]*Undo
	credential map[string]*Undo // nil where there are several
}

func newMemory(undo []Undo) *memory {
	m := &memory{map[[2]string]*Undo{}, map[string]*Undo{}, map[string]*Undo{}}
	for i := range undo {
		u := &undo[i]
		_, twice := m.credential[u.Credential]
		m.both[[2]string{u.User, u.Credential}], m.user[u.User], m.credential[u.Credential] = u, u, u
		if twice {
			m.credential[u.Credential] = nil
		}
	}
	return m
}

func (m *memory) of(o *Other) *Undo {
	if u := m.both[[2]string{o.Name, o.Detail}]; u != nil {
		return u
	}
	if u := m.user[o.Name]; u != nil {
		return u
	}
	return m.credential[o.Detail]
}

// revert returns the edits that restore one user.
func (f *File) revert(r *revert) ([]splice, error) {
	splices, err := f.revertToken(r)
	if err != nil || r.newName == "" {
		return splices, err
	}
	names, ok := f.revertNames(r)
	if !ok {
		r.newName, r.exact = "", false // it keeps the name that it has
		return splices, nil
	}
	return append(splices, names...), nil
}

// revertNames gives a user and the contexts that name it its old name. Where
// that is not possible for all of them nothing is renamed.
func (f *File) revertNames(r *revert) ([]splice, bool) {
	s, ok := f.revertName(r, value(r.entry, "name"), r.undo.Name)
	if !ok {
		return nil, false
	}
	out := []splice{s}
	rest := r.undo.References
	for _, ref := range f.references(r.name) {
		var old Swap
		old, rest = forContext(rest, ref.context)
		if s, ok = f.revertName(r, ref.node, old); !ok {
			return nil, false
		}
		out = append(out, s)
	}
	r.exact = r.exact && len(rest) == 0
	return out, true
}
