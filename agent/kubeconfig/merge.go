package kubeconfig

import (
	"fmt"
	"path/filepath"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A list is one of a kubeconfig's, and what its items hold.
type list struct{ key, kind string }

// lists are those that Merge merges, in the order in which names are settled:
// contexts refer to the other two.
var lists = []list{{"clusters", "cluster"}, {"users", "user"}, {"contexts", "context"}}

// A merger adds what from has to into.
type merger struct {
	into, from *File
	rename     func(kind, name string) (string, error)

	have    map[string]map[string]any    // what into has, by kind and name
	renamed map[string]map[string]string // by kind and the name in from
	items   map[string][]*yaml.Node      // to add, by key
	moved   bool                         // into another folder: paths are to be absolute
	current string                       // the context to be the current one
}

// Merge returns the text of into with the clusters, users and contexts of from
// added: at the end of its lists, written like them. What is there already, name
// and all, is not added again; of another thing of the same name rename, which
// gets "cluster", "user" or "context" and the name, says what it is to be called,
// and contexts follow. The current context stays, if there is one. into may be
// nil: a new file.
func Merge(into, from *File, rename func(kind, name string) (string, error)) ([]byte, error) {
	if into == nil {
		return from.text, nil
	}
	m := &merger{into: into, from: from, rename: rename, have: map[string]map[string]any{}, renamed: map[string]map[string]string{},
		items: map[string][]*yaml.Node{}, moved: filepath.Dir(into.Path) != filepath.Dir(from.Path)}
	for _, l := range lists {
		if err := m.look(l.key, l.kind); err != nil {
			return nil, err
		}
	}
	for _, l := range lists {
		if err := m.collect(l.key, l.kind); err != nil {
			return nil, err
		}
	}
	m.chooseCurrent()
	return m.write()
}

// look notes what into has.
func (m *merger) look(key, kind string) error {
	m.have[kind], m.renamed[kind] = map[string]any{}, map[string]string{}
	list := resolve(value(m.into.root, key))
	if list == nil {
		return nil
	}
	for _, item := range list.Content {
		var v any
		if err := item.Decode(&v); err != nil {
			return m.into.refuseLine(item.Line, "an entry of "+key+" cannot be read", "mend it first, then merge again")
		}
		m.have[kind][nameOf(item)] = v
	}
	return nil
}

func nameOf(item *yaml.Node) string {
	if n := resolve(value(resolve(item), "name")); n != nil {
		return n.Value
	}
	return ""
}

// collect decides which entries of from are added, and under which names.
func (m *merger) collect(key, kind string) error {
	list := resolve(value(m.from.root, key))
	if list == nil {
		return nil
	}
	for _, item := range list.Content {
		item, err := m.copy(item)
		if err != nil {
			return err
		}
		name := nameOf(item)
		if name == "" || item.Kind != yaml.MappingNode {
			return m.from.refuseLine(item.Line, "an entry of "+key+" has no name", "give it one, then merge again")
		}
		body := value(item, kind)
		m.adapt(kind, body)
		var v any
		if err := item.Decode(&v); err != nil {
			return m.from.refuseLine(item.Line, "an entry of "+key+" cannot be read", "mend it first, then merge again")
		}
		there, taken := m.have[kind][name]
		if taken && reflect.DeepEqual(there, v) {
			continue
		}
		if taken {
			fresh, err := m.rename(kind, name)
			if err != nil {
				return err
			}
			if _, taken = m.have[kind][fresh]; taken || fresh == "" {
				return m.from.refuseLine(item.Line, fmt.Sprintf("%s %q: the name %q is taken in %s", kind, name, fresh, m.into.Path), "choose another one")
			}
			setString(value(item, "name"), fresh)
			m.renamed[kind][name], name = fresh, fresh
		}
		m.have[kind][name] = v
		m.items[key] = append(m.items[key], item)
	}
	return nil
}

// copy returns a copy of a node that stands for itself: an anchor would be
// another one in another file.
func (m *merger) copy(n *yaml.Node) (*yaml.Node, error) {
	n = resolve(n)
	c := *n
	c.Anchor, c.Content = "", nil
	for i, child := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 && child.Tag == "!!merge" {
			return nil, m.from.refuseLine(child.Line, "a merge key is not copied", "write what it merges into the entry itself, then merge again")
		}
		child, err := m.copy(child)
		if err != nil {
			return nil, err
		}
		c.Content = append(c.Content, child)
	}
	return &c, nil
}

// paths are the keys whose values client-go takes relative to the kubeconfig.
var paths = map[string][]string{"cluster": {"certificate-authority"}, "user": {"client-certificate", "client-key", "tokenFile"}}

// adapt makes an entry right where it goes: contexts name what was renamed, and
// paths lead to where they led.
func (m *merger) adapt(kind string, body *yaml.Node) {
	if kind == "context" {
		for _, kind := range []string{"cluster", "user"} {
			if n := value(body, kind); n != nil && m.renamed[kind][n.Value] != "" {
				setString(n, m.renamed[kind][n.Value])
			}
		}
	}
	if !m.moved {
		return
	}
	for _, key := range paths[kind] {
		m.absolute(value(body, key))
	}
	// A command without a slash is looked for in PATH.
	if n := value(value(body, "exec"), "command"); n != nil && strings.ContainsAny(n.Value, "/"+string(filepath.Separator)) {
		m.absolute(n)
	}
}

func (m *merger) absolute(n *yaml.Node) {
	if n == nil || n.Value == "" || filepath.IsAbs(n.Value) {
		return
	}
	if dir, err := filepath.Abs(filepath.Dir(m.from.Path)); err == nil {
		setString(n, filepath.Join(dir, n.Value))
	}
}

func setString(n *yaml.Node, s string) {
	n.Kind, n.Tag, n.Value = yaml.ScalarNode, "!!str", s
	n.Style &^= yaml.TaggedStyle | yaml.LiteralStyle | yaml.FoldedStyle
}

// chooseCurrent takes over from's current context if into has none.
func (m *merger) chooseCurrent() {
	if n := resolve(value(m.into.root, "current-context")); n != nil && n.Value != "" && n.Tag != "!!null" {
		return
	}
	if n := resolve(value(m.from.root, "current-context")); n != nil && n.Tag != "!!null" {
		m.current = n.Value
		if fresh := m.renamed["context"][n.Value]; fresh != "" {
			m.current = fresh
		}
	}
}
