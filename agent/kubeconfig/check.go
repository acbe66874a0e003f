package kubeconfig

import (
	"bytes"
	"reflect"

	"go.yaml.in/yaml/v3"
)

// A tree is a decoded kubeconfig in which changes are made as they are meant.
type tree struct {
	root     map[string]any
	users    []any
	contexts map[string][]map[string]any // by the name of their user
}

// check decodes the edited text and compares it with what was meant.
func (f *File) check(edited []byte, mean func(*tree)) error {
	var after map[string]any
	t, err := f.tree()
	if err == nil {
		err = yaml.Unmarshal(bytes.TrimPrefix(edited, bom), &after)
	}
	if err == nil {
		mean(t)
		if reflect.DeepEqual(t.root, after) {
			return nil
		}
	}
	return f.refuseShape()
}

func (f *File) refuseShape() error {
	return refuse(f.Path, "its shape cannot be edited safely", "please report it with the file's shape, without the token")
}

func (f *File) tree() (*tree, error) {
	t := &tree{contexts: map[string][]map[string]any{}}
	if err := f.root.Decode(&t.root); err != nil {
		return nil, err
	}
	t.users, _ = t.root["users"].([]any)
	contexts, _ := t.root["contexts"].([]any)
	for _, item := range contexts {
		entry, _ := item.(map[string]any)
		if x, _ := entry["context"].(map[string]any); x != nil {
			if name, ok := x["user"].(string); ok {
				t.contexts[name] = append(t.contexts[name], x)
			}
		}
	}
	return t, nil
}

// user returns the entry at index and what is in it.
func (t *tree) user(index int) (entry, fields map[string]any) {
	if index < len(t.users) {
		entry, _ = t.users[index].(map[string]any)
		fields, _ = entry["user"].(map[string]any)
	}
	return entry, fields
}

// has reports whether the tree has the user as it was read: a name may be a number.
func (t *tree) has(u User) bool {
	entry, fields := t.user(u.index)
	return entry["name"] == u.Name && fields["token"] == u.Token.Reveal()
}

// change puts our block in the place of a token.
func (t *tree) change(u User, c Change) {
	if !t.has(u) {
		return // and the comparison fails
	}
	entry, fields := t.user(u.index)
	delete(fields, "token")
	if u.Ours == "" {
		fields["exec"] = c.Exec.tree()
	}
	if c.NewName != "" && c.NewName != u.Name {
		t.rename(entry, u.Name, c.NewName)
	}
}

// revert puts a token in the place of our block.
func (t *tree) revert(r *revert) {
	entry, fields := t.user(r.index)
	if entry["name"] != r.name || fields["exec"] == nil {
		return
	}
	delete(fields, "exec")
	fields["token"] = r.token
	if r.newName != "" {
		t.rename(entry, r.name, r.newName)
	}
}

// rename gives a user another name, and its contexts with it. What has been
// renamed so is not found by its old name again.
func (t *tree) rename(entry map[string]any, from, to string) {
	entry["name"] = to
	for _, x := range t.contexts[from] {
		x["user"] = to
	}
	delete(t.contexts, from)
}
