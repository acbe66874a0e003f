package kubeconfig

import (
	"fmt"
	"slices"
)

// A context may name a user that stands in another file: KUBECONFIG lists
// several, and client-go takes the first user of a name.

// elsewhere returns the files whose contexts mean this user of f.
func (f *File) elsewhere(u *User, files []*File) []*File {
	owner := slices.IndexFunc(files, func(g *File) bool { return g.counts[u.Name] > 0 })
	if owner < 0 || files[owner] != f {
		return nil
	}
	var out []*File
	for _, g := range files {
		// A file that has a user of that name means its own, as the person who
		// uses it alone sees it.
		if g != f && g.counts[u.Name] == 0 && len(g.config.contextsOf[u.Name]) > 0 {
			out = append(out, g)
		}
	}
	return out
}

// RenameReferences returns the file's text with its contexts naming a user of
// another file by its new name, and what RestoreReferences needs.
func (f *File) RenameReferences(from, to string) (text []byte, undo Undo, err error) {
	undo = Undo{User: to, Was: from}
	if f.counts[from] > 0 || len(f.references(from)) == 0 {
		return nil, undo, refuse(f.Path, fmt.Sprintf("its contexts name no user %q of another file", from), "")
	}
	var splices []splice
	for _, r := range f.references(from) {
		s, err := f.spliceName(&User{Name: from, Line: r.node.Line}, r.node, to)
		if err != nil {
			return nil, undo, err
		}
		splices = append(splices, s)
		undo.References = append(undo.References, Reference{r.context, f.swap(s)})
	}
	text, err = f.applyReferences(splices, from, to)
	return text, undo, err
}

// RestoreReferences is the reverse of RenameReferences. exact says that each
// reference is written as it was.
func (f *File) RestoreReferences(undo Undo) (text []byte, exact bool, err error) {
	var splices []splice
	exact = true
	rest := undo.References
	for _, r := range f.references(undo.User) {
		s, err := f.spliceName(&User{Name: undo.User, Line: r.node.Line}, r.node, undo.Was)
		if err != nil {
			return nil, false, err
		}
		var old Swap
		if old, rest = forContext(rest, r.context); old.Old != "" && old.New == string(f.text[s.start:s.end]) {
			s.text = old.Old
		} else {
			exact = false
		}
		splices = append(splices, s)
	}
	text, err = f.applyReferences(splices, undo.User, undo.Was)
	return text, exact && len(rest) == 0, err
}

func (f *File) applyReferences(splices []splice, from, to string) ([]byte, error) {
	text, err := f.apply(splices)
	if err != nil {
		return nil, err
	}
	return text, f.check(text, func(t *tree) {
		for _, x := range t.contexts[from] {
			x["user"] = to
		}
	})
}
