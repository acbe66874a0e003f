package kubeconfig

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v3"
)

// An Added is an entry that a merge has put into a file. It holds nothing of the
// entry but its name and a hash of what is no secret in it: a program that writes
// the file anew is no reason to take it for another one.
type Added struct {
	Kind   string `json:"kind"` // cluster, user or context
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
}

// AddedTo returns the entries that f has and before has not; before may be nil.
func (f *File) AddedTo(before *File) []Added {
	var out []Added
	for _, l := range lists {
		for _, item := range f.entries(l.key) {
			if name := nameOf(item); name != "" && (before == nil || !before.Has(l.kind, name)) {
				out = append(out, Added{l.kind, name, f.digest(l.kind, item)})
			}
		}
	}
	return out
}

func (f *File) entries(key string) []*yaml.Node {
	if list := resolve(value(f.root, key)); list != nil && list.Kind == yaml.SequenceNode {
		return list.Content
	}
	return nil
}

// secrets are what may hold one. An exec block may by its env, a proxy by its URL.
var secrets = map[string]bool{"token": true, "password": true, "client-key-data": true, "auth-provider": true, "env": true, "proxy-url": true}

// digest tells an entry from an edited one, however it is written.
func (f *File) digest(kind string, item *yaml.Node) string {
	var entry map[string]any
	_ = item.Decode(&entry) // it was decoded when the file was read
	body, _ := entry[kind].(map[string]any)
	dir, _ := filepath.Abs(filepath.Dir(f.Path))
	for _, key := range paths[kind] { // kubectl makes them relative
		if path, _ := body[key].(string); path != "" && !filepath.IsAbs(path) {
			body[key] = filepath.Join(dir, path)
		}
	}
	b, err := json.Marshal(open(entry[kind]))
	if err != nil {
		return "" // not as JSON can say it: it is taken for an edited one
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// open leaves out what may be a secret, and what kubectl writes where there is
// nothing.
func open(v any) any {
	m, ok := v.(map[string]any)
	if !ok {
		return v
	}
	out := map[string]any{}
	for k, v := range m {
		if !secrets[k] && v != nil && v != false {
			out[k] = open(v)
		}
	}
	return out
}

// Unmerge returns the file without what a merge has added, and what of that was
// removed. An entry that was edited since stays, and so does what a context refers
// to that stays. A current context that is gone is set to none.
func (f *File) Unmerge(added []Added) (*File, []Added, error) {
	if len(added) == 0 {
		return f, nil, nil
	}
	u := &unmerger{f: f, gone: map[*yaml.Node]bool{}, kept: map[[2]string]bool{}}
	u.choose(added)
	if len(u.removed) == 0 {
		return f, nil, nil
	}
	text, err := u.write()
	if err != nil {
		return nil, nil, err
	}
	g, err := f.With(text)
	return g, u.removed, err
}

type unmerger struct {
	f       *File
	gone    map[*yaml.Node]bool
	kept    map[[2]string]bool // kind and name of what contexts that stay refer to
	removed []Added
	current bool // the current context is gone
}

// choose decides what goes: contexts first, since they hold the others.
func (u *unmerger) choose(added []Added) {
	for i := len(lists) - 1; i >= 0; i-- {
		l := lists[i]
		for _, item := range u.f.entries(l.key) {
			if a := (Added{l.kind, nameOf(item), u.f.digest(l.kind, item)}); !u.kept[[2]string{l.kind, a.Name}] && a.SHA256 != "" && slices.Contains(added, a) {
				u.gone[item], u.removed = true, append(u.removed, a)
				continue
			}
			if body := value(resolve(item), l.kind); l.kind == "context" {
				for _, kind := range []string{"cluster", "user"} {
					if n := resolve(value(resolve(body), kind)); n != nil {
						u.kept[[2]string{kind, n.Value}] = true
					}
				}
			}
		}
	}
	if n := resolve(value(u.f.root, "current-context")); n != nil {
		u.current = slices.ContainsFunc(u.removed, func(a Added) bool { return a.Kind == "context" && a.Name == n.Value })
	}
}

func (u *unmerger) write() ([]byte, error) {
	f := u.f
	var splices []splice
	for _, l := range lists {
		s, err := u.cut(value(f.root, l.key))
		if err != nil {
			return nil, err
		}
		splices = append(splices, s...)
	}
	if u.current {
		n := value(f.root, "current-context")
		start, err := f.offset(n)
		if err != nil {
			return nil, err
		}
		end, err := f.scalarEnd(n)
		if err != nil {
			return nil, err
		}
		splices = append(splices, splice{start, end, `""`})
	}
	out, err := f.apply(splices)
	if err != nil {
		return nil, err
	}
	return out, f.check(out, u.mean)
}

// cut removes what is gone from one list, run by run: what is beside a run may
// have to go with it.
func (u *unmerger) cut(list *yaml.Node) ([]splice, error) {
	if list == nil || list.Kind != yaml.SequenceNode {
		return nil, nil
	}
	var out []splice
	items := list.Content
	for i := 0; i < len(items); i++ {
		first := i
		for i < len(items) && u.gone[items[i]] {
			i++
		}
		if i == first {
			continue
		}
		run := u.cutBlock
		if list.Style&yaml.FlowStyle != 0 {
			run = u.cutFlow
		}
		s, err := run(items, first, i)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// cutBlock removes entries with their lines, and the line break before them: there
// may be none behind.
func (u *unmerger) cutBlock(items []*yaml.Node, first, end int) (splice, error) {
	f := u.f
	start, err := f.offset(items[first])
	if err != nil {
		return splice{}, err
	}
	last, err := f.offset(items[end-1])
	if err != nil {
		return splice{}, err
	}
	line := f.lineStart(start)
	dash := bytes.TrimLeft(f.text[line:start], " ")
	if line == 0 || !bytes.HasPrefix(dash, []byte("-")) {
		return splice{}, f.stays(items[first])
	}
	indent := start - line - len(dash)
	return splice{f.lineEnd(f.lineStart(line - 1)), f.blockEnd(f.lineEnd(last), indent), ""}, nil
}

// cutFlow removes entries of a flow list with the commas that join them to it.
func (u *unmerger) cutFlow(items []*yaml.Node, first, end int) (splice, error) {
	f := u.f
	start, err := f.offset(items[first])
	if err != nil {
		return splice{}, err
	}
	tail := func(n *yaml.Node) (int, error) {
		at, err := f.offset(n)
		if err == nil && f.text[at] != '{' {
			err = f.stays(n)
		}
		return f.flowEnd(at), err
	}
	stop, err := tail(items[end-1])
	if err != nil {
		return splice{}, err
	}
	switch {
	case first > 0:
		start, err = tail(items[first-1])
	case end < len(items):
		stop, err = f.offset(items[end])
	}
	if err != nil || start < 0 || stop < start {
		return splice{}, f.stays(items[first])
	}
	return splice{start, stop, ""}, nil
}

func (f *File) stays(n *yaml.Node) error {
	return f.refuseLine(n.Line, fmt.Sprintf("where the entry %q begins and ends cannot be told", HideTokens(nameOf(n))), "remove by hand what import --merge added")
}

// mean makes the same change in a decoded file.
func (u *unmerger) mean(t *tree) {
	for _, l := range lists {
		list, _ := t.root[l.key].([]any)
		items := u.f.entries(l.key)
		if len(list) == 0 || len(list) != len(items) {
			continue
		}
		left := []any{}
		for i, item := range items {
			if !u.gone[item] {
				left = append(left, list[i])
			}
		}
		t.root[l.key] = left
		if n := value(u.f.root, l.key); len(left) == 0 && n.Style&yaml.FlowStyle == 0 {
			t.root[l.key] = nil // no line stands below its key
		}
	}
	if u.current {
		t.root["current-context"] = ""
	}
}
