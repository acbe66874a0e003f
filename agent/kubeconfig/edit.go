package kubeconfig

import (
	"bytes"
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// A Change is what becomes of one user.
type Change struct {
	User    int    // index into File.Users
	NewName string // of the user, references included; empty keeps the name
	Exec    Exec
}

// A splice replaces the bytes from start to end.
type splice struct {
	start, end int
	text       string
}

// Edit returns the file's text with the changes made, after it has checked that
// exactly those came about.
func (f *File) Edit(changes []Change) ([]byte, error) {
	var splices []splice
	for _, c := range changes {
		s, err := f.spliceUser(c)
		if err != nil {
			return nil, err
		}
		splices = append(splices, s...)
	}
	slices.SortFunc(splices, func(a, b splice) int { return cmp.Compare(a.start, b.start) })
	// An anchored context is reached by each alias: one place, one splice.
	splices = slices.Compact(splices)
	var out []byte
	at := 0
	for _, s := range splices {
		if s.start < at {
			return nil, refuse(f.Path, "two edits meet in one place", "edit the file by hand")
		}
		out = append(append(out, f.text[at:s.start]...), s.text...)
		at = s.end
	}
	out = append(out, f.text[at:]...)
	if err := f.check(out, changes); err != nil {
		return nil, err
	}
	if err := f.checkLeftovers(out, changes); err != nil {
		return nil, err
	}
	return out, nil
}

func (f *File) spliceUser(c Change) ([]splice, error) {
	u := f.Users[c.User]
	if u.Beside != "" {
		return nil, f.refuseLine(u.Line, "user "+fmt.Sprintf("%q", u.Name)+" has "+u.Beside+" beside its token (kubectl uses the token)",
			"remove the one that you do not want, then import again")
	}
	if count(f.Names, u.Name) > 1 {
		return nil, f.refuseLine(u.Line, "several users are named "+fmt.Sprintf("%q", u.Name)+" (kubectl refuses the file)",
			"rename all but one, and the users of their contexts, then import again")
	}
	user := value(u.entry, "user")
	key, token := child(user, "token")
	if key == nil {
		return nil, f.refuseLine(u.Line, "the token of user "+fmt.Sprintf("%q", u.Name)+" is shared by an anchor, an alias or a merge key",
			"write the token into the user itself, then import again")
	}
	for _, n := range []*yaml.Node{u.entry, user, token} {
		if n.Kind == yaml.AliasNode || n.Anchor != "" {
			return nil, f.refuseLine(n.Line, "the token of user "+fmt.Sprintf("%q", u.Name)+" is shared by an anchor or an alias",
				"write the token into the user itself, then import again")
		}
	}
	splices, err := f.spliceToken(user, key, token, c.Exec)
	if err != nil || c.NewName == "" || c.NewName == u.Name {
		return splices, err
	}
	renames, err := f.spliceNames(u, c.NewName)
	return append(splices, renames...), err
}

// spliceToken replaces the entry "token: ..." by "exec: ...": in a flow mapping
// in place, in a block mapping with the lines of the block below.
func (f *File) spliceToken(user, key, token *yaml.Node, e Exec) ([]splice, error) {
	start, err := f.offset(key)
	if err != nil {
		return nil, err
	}
	end, err := f.scalarEnd(token)
	if err != nil {
		return nil, err
	}
	if key.Line != token.Line {
		return nil, f.refuseLine(token.Line, "the token does not stand on the line of its key", "write both on one line, then import again")
	}
	if user.Style&yaml.FlowStyle != 0 {
		return []splice{{start, end, e.flow(f.isJSON())}}, nil
	}
	lineStart := bytes.LastIndexByte(f.text[:start], '\n') + 1
	indent := string(f.text[lineStart:start])
	if strings.Trim(strings.TrimPrefix(indent, string(bom)), " ") != "" {
		return nil, f.refuseLine(key.Line, "the token does not begin its own line", "put it on a line of its own, then import again")
	}
	rest, nl := len(f.text), "\n"
	if i := bytes.IndexByte(f.text[end:], '\n'); i >= 0 {
		rest = end + i
	}
	if rest > 0 && f.text[rest-1] == '\r' {
		rest--
	}
	if bytes.Contains(f.text, []byte("\r\n")) {
		nl = "\r\n"
	}
	// What follows the token on its line, a comment, stays behind "exec:".
	return []splice{{start, end, "exec:"}, {rest, rest, e.block(indent, nl)}}, nil
}

// spliceNames renames a user in its entry and in every context of the file.
func (f *File) spliceNames(u User, name string) ([]splice, error) {
	nodes := []*yaml.Node{value(u.entry, "name")}
	if contexts := value(f.root, "contexts"); contexts != nil {
		for _, item := range contexts.Content {
			context := value(resolve(item), "context")
			if ref := value(resolve(context), "user"); ref != nil && resolve(ref).Value == u.Name {
				nodes = append(nodes, resolve(ref))
			}
		}
	}
	var out []splice
	for _, n := range nodes {
		if n == nil || n.Anchor != "" || n.Kind != yaml.ScalarNode {
			return nil, f.refuseLine(u.Line, "the name of user "+fmt.Sprintf("%q", u.Name)+" is shared by an anchor or an alias",
				"rename the user by hand, then import again")
		}
		start, err := f.offset(n)
		if err != nil {
			return nil, err
		}
		end, err := f.scalarEnd(n)
		if err != nil {
			return nil, err
		}
		text := name
		if q := f.text[start]; q == '"' || q == '\'' {
			text = string(q) + name + string(q)
		}
		out = append(out, splice{start, end, text})
	}
	return out, nil
}

// resolve follows an alias to its anchor.
func resolve(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// offset returns where a node begins. The library counts lines from 1 and
// columns in runes, and does not see a byte order mark.
func (f *File) offset(n *yaml.Node) (int, error) {
	at := len(f.text) - len(bytes.TrimPrefix(f.text, bom))
	for line := 1; line < n.Line; line++ {
		i := bytes.IndexByte(f.text[at:], '\n')
		if i < 0 {
			return 0, f.refuseLine(n.Line, "its position cannot be told", "a line break other than LF or CRLF, perhaps")
		}
		at += i + 1
	}
	for col := 1; col < n.Column && at < len(f.text); col++ {
		_, size := utf8.DecodeRune(f.text[at:])
		at += size
	}
	return at, nil
}

// check decodes the edited text and compares it with what was meant.
func (f *File) check(edited []byte, changes []Change) error {
	var before, after map[string]any
	err := yaml.Unmarshal(bytes.TrimPrefix(f.text, bom), &before)
	if err == nil {
		err = yaml.Unmarshal(bytes.TrimPrefix(edited, bom), &after)
	}
	if err == nil {
		for _, c := range changes {
			c.apply(f.Users[c.User], before)
		}
		if reflect.DeepEqual(before, after) {
			return nil
		}
	}
	return refuse(f.Path, "its shape cannot be edited safely", "please report it with the file's shape, without the token")
}

// apply makes a change to a decoded kubeconfig.
func (c Change) apply(u User, tree map[string]any) {
	users, _ := tree["users"].([]any)
	renamed := c.NewName != "" && c.NewName != u.Name
	for _, item := range users {
		entry, _ := item.(map[string]any)
		fields, _ := entry["user"].(map[string]any)
		if entry["name"] != u.Name || fields["token"] != u.Token.Reveal() {
			continue
		}
		delete(fields, "token")
		fields["exec"] = c.Exec.tree()
		if renamed {
			entry["name"] = c.NewName
		}
		break
	}
	contexts, _ := tree["contexts"].([]any)
	for _, item := range contexts {
		entry, _ := item.(map[string]any)
		if x, _ := entry["context"].(map[string]any); renamed && x["user"] == u.Name {
			x["user"] = c.NewName
		}
	}
}

// isJSON reports whether the file is JSON, which YAML contains.
func (f *File) isJSON() bool {
	return bytes.HasPrefix(bytes.TrimSpace(bytes.TrimPrefix(f.text, bom)), []byte("{"))
}

func count(all []string, s string) int {
	n := 0
	for _, have := range all {
		if have == s {
			n++
		}
	}
	return n
}

func (f *File) refuseLine(line int, why, hint string) error {
	return refuse(f.Path, fmt.Sprintf("line %d: %s", line, why), hint)
}
