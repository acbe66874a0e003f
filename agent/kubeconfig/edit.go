package kubeconfig

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A Change is what becomes of one user.
type Change struct {
	User    int    // index into File.Users
	NewName string // of the user, references included; empty keeps the name
	Exec    Exec
}

// Edit returns the file's text with the changes made, after it has checked that
// exactly those came about, and what Restore needs to take them back: in the
// order of the changes, without the users that had our block already, for whom
// what was noted then still holds.
func (f *File) Edit(changes []Change) (text []byte, undo []Undo, err error) {
	e, err := f.plan(changes)
	if err != nil {
		return nil, nil, err
	}
	out, err := f.apply(e.splices)
	if err != nil {
		return nil, nil, err
	}
	if err := f.check(out, func(t *tree) {
		for _, c := range changes {
			t.change(f.Users[c.User], c)
		}
	}); err != nil {
		return nil, nil, err
	}
	if err := f.checkLeftovers(out, changes); err != nil {
		return nil, nil, err
	}
	return out, e.undo, f.checkUndo(e.undo, changes)
}

// An edit is what changes do to the text, and what takes them back.
type edit struct {
	splices []splice
	undo    []Undo
}

func (f *File) plan(changes []Change) (e edit, err error) {
	for _, c := range changes {
		s, undo, err := f.splice(c)
		if err != nil {
			return edit{}, err
		}
		e.splices, e.undo = append(e.splices, s...), append(e.undo, undo...)
	}
	return e, nil
}

// splice plans one change.
func (f *File) splice(c Change) ([]splice, []Undo, error) {
	u := &f.Users[c.User]
	if u.Ours != "" {
		s, err := f.spliceBeside(u, c)
		return s, nil, err
	}
	s, undo, err := f.spliceUser(u, c)
	return s, []Undo{undo}, err
}

func (f *File) spliceUser(u *User, c Change) ([]splice, Undo, error) {
	undo := Undo{Credential: c.Exec.Credential, User: u.Name}
	if u.Beside != "" {
		return nil, undo, f.refuseLine(u.Line, "user "+u.shown()+" has "+u.Beside+" beside its token ("+u.WithBoth()+")",
			"remove the one that you do not want, then import again")
	}
	if err := f.alone(u); err != nil {
		return nil, undo, err
	}
	user := value(u.entry, "user")
	key, token := child(user, "token")
	splices, place, err := f.spliceToken(user, key, token, c.Exec)
	undo.Token = place
	if err != nil || c.NewName == "" || c.NewName == u.Name {
		return splices, undo, err
	}
	undo.User, undo.Was = c.NewName, u.Name
	renames, err := f.spliceNames(u, &undo)
	return append(splices, renames...), undo, err
}

// alone refuses a user that shares its name or its token with something else.
func (f *File) alone(u *User) error {
	if f.counts[u.Name] > 1 {
		return f.refuseLine(u.Line, "several users are named "+u.shown()+" (kubectl refuses the file)",
			"rename all but one, and the users of their contexts, then import again")
	}
	user := value(u.entry, "user")
	key, token := child(user, "token")
	if key == nil {
		return f.refuseLine(u.Line, "the token of user "+u.shown()+" is shared by an anchor, an alias or a merge key",
			"write the token into the user itself, then import again")
	}
	for _, n := range []*yaml.Node{u.entry, user, token} {
		if n.Kind == yaml.AliasNode || n.Anchor != "" {
			return f.refuseLine(n.Line, "the token of user "+u.shown()+" is shared by an anchor or an alias",
				"write the token into the user itself, then import again")
		}
	}
	return nil
}

// spliceToken replaces the entry "token: ..." by "exec: ...": in a flow mapping
// in place, in a block mapping with the lines of the block below.
func (f *File) spliceToken(user, key, token *yaml.Node, e Exec) ([]splice, Place, error) {
	start, err := f.offset(key)
	if err != nil {
		return nil, Place{}, err
	}
	end, err := f.scalarEnd(token)
	if err != nil {
		return nil, Place{}, err
	}
	if key.Line != token.Line {
		return nil, Place{}, f.refuseLine(token.Line, "the token does not stand on the line of its key", "write both on one line, then import again")
	}
	at, _ := f.offset(token)
	raw := string(f.text[at:end])
	place := placeOf(raw, token.Value)
	place.Key = string(f.text[start:at])
	if user.Style&yaml.FlowStyle != 0 {
		place.Exec = e.flow(f.json)
		return []splice{{start, end, place.Exec}}, place, f.reversible(&place, raw, token)
	}
	indent, ok := f.indent(start)
	if !ok {
		return nil, Place{}, f.refuseLine(key.Line, "the token does not begin its own line", "put it on a line of its own, then import again")
	}
	// What follows the token on its line, a comment, stays behind "exec:".
	rest := f.lineEnd(end)
	place.Exec, place.Block = "exec:", e.block(indent, f.lineBreak(rest))
	return []splice{{start, end, place.Exec}, {rest, rest, place.Block}}, place, f.reversible(&place, raw, token)
}

// reversible makes sure that the very same bytes can be written again.
func (f *File) reversible(p *Place, raw string, token *yaml.Node) error {
	if p.spell(token.Value) == raw {
		return nil
	}
	return f.refuseLine(token.Line, "the token is written in a way that could not be restored", "put it in double quotes, then import again")
}

// indent returns what stands before at on its line if that is nothing but spaces.
func (f *File) indent(at int) (string, bool) {
	line := string(f.text[f.lineStart(at):at])
	return line, strings.Trim(strings.TrimPrefix(line, string(bom)), " ") == ""
}

// spliceNames renames a user in its entry and in every context of the file.
func (f *File) spliceNames(u *User, undo *Undo) ([]splice, error) {
	s, err := f.spliceName(u, value(u.entry, "name"), undo.User)
	if err != nil {
		return nil, err
	}
	undo.Name = f.swap(s)
	out := []splice{s}
	for _, r := range f.references(u.Name) {
		if s, err = f.spliceName(u, r.node, undo.User); err != nil {
			return nil, err
		}
		out = append(out, s)
		undo.References = append(undo.References, Reference{r.context, f.swap(s)})
	}
	return out, nil
}

func (f *File) spliceName(u *User, n *yaml.Node, name string) (splice, error) {
	if n == nil || n.Anchor != "" || n.Kind != yaml.ScalarNode {
		return splice{}, f.refuseLine(u.Line, "the name of user "+u.shown()+" is shared by an anchor or an alias",
			"rename the user by hand, then import again")
	}
	start, err := f.offset(n)
	if err != nil {
		return splice{}, err
	}
	end, err := f.scalarEnd(n)
	if err != nil {
		return splice{}, err
	}
	return splice{start, end, like(string(f.text[start:end]), name)}, nil
}

// swap is what a splice does.
func (f *File) swap(s splice) Swap { return Swap{Old: string(f.text[s.start:s.end]), New: s.text} }

// shown is the user's name for people, unless it holds the token.
func (u *User) shown() string {
	if token := u.Token.Reveal(); len(token) >= telling && strings.Contains(u.Name, token) {
		return fmt.Sprintf("number %d", u.index+1)
	}
	return fmt.Sprintf("%q", u.Name)
}
