package kubeconfig

import (
	"cmp"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

// A splice replaces the bytes from start to end.
type splice struct {
	start, end int
	text       string
}

// apply makes all splices in the file's text.
func (f *File) apply(splices []splice) ([]byte, error) {
	slices.SortStableFunc(splices, func(a, b splice) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end))
	})
	// An anchored context is reached by each alias: one place, one splice.
	splices = slices.Compact(splices)
	out := make([]byte, 0, len(f.text)+256*len(splices))
	at := 0
	for _, s := range splices {
		if s.start < at {
			return nil, refuse(f.Path, "two edits meet in one place", "edit the file by hand")
		}
		out = append(append(out, f.text[at:s.start]...), s.text...)
		at = s.end
	}
	return append(out, f.text[at:]...), nil
}

// A reference is a context's naming of its user.
type reference struct {
	context string
	node    *yaml.Node
}

// references returns the places of the file that name a user, one for each
// context: an anchored one is reached by each alias.
func (f *File) references(user string) []reference {
	if f.refs == nil {
		f.refs = map[string][]reference{}
		if contexts := value(f.root, "contexts"); contexts != nil {
			for _, item := range contexts.Content {
				item = resolve(item)
				if ref := resolve(value(resolve(value(item, "context")), "user")); ref != nil {
					r := reference{node: ref}
					if name := resolve(value(item, "name")); name != nil {
						r.context = name.Value
					}
					f.refs[ref.Value] = append(f.refs[ref.Value], r)
				}
			}
		}
	}
	return f.refs[user]
}

// resolve follows an alias to its anchor.
func resolve(n *yaml.Node) *yaml.Node {
	if n != nil && n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func (f *File) refuseLine(line int, why, hint string) error {
	return refuse(f.Path, fmt.Sprintf("line %d: %s", line, why), hint)
}
