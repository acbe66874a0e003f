package kubeconfig

import (
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A Call is an exec block of ours, by which a user logs in.
type Call struct {
	User       string
	Line       int    // of the command
	Command    string // as it is written
	Credential string

	index int
	node  *yaml.Node // of the command
}

// Calls returns the exec blocks of ours, in the order of the file.
func (f *File) Calls() (calls []Call) {
	for i := range f.config.Users {
		var e userEntry
		if f.config.Users[i].Decode(&e) != nil || e.ours() == "" {
			continue
		}
		exec := resolve(value(resolve(value(resolve(&f.config.Users[i]), "user")), "exec"))
		if n := value(exec, "command"); n != nil {
			calls = append(calls, Call{e.Name, n.Line, resolve(n).Value, e.ours(), i, n})
		}
	}
	return calls
}

// Resolved returns the program that client-go runs for a command of f: one with a
// slash is taken relative to the kubeconfig's folder. A bare name is left to PATH.
func (f *File) Resolved(command string) string {
	if filepath.IsAbs(command) || !strings.ContainsAny(command, `/\`) {
		return command
	}
	return filepath.Join(filepath.Dir(f.Path), command)
}

// Redirect has calls of f run another program, and returns the file's text after that
// and what of undo has changed with it, so that a later Restore still knows the blocks.
func (f *File) Redirect(calls []Call, command string, undo []Undo) (text []byte, changed []Undo, err error) {
	var splices []splice
	for _, c := range calls {
		if c.node.Kind != yaml.ScalarNode || c.node.Anchor != "" {
			return nil, nil, f.refuseLine(c.Line, "the command is shared by an anchor or an alias", "write it into the user itself")
		}
		start, err := f.offset(c.node)
		if err != nil {
			return nil, nil, err
		}
		end, err := f.scalarEnd(c.node)
		if err != nil {
			return nil, nil, err
		}
		s := splice{start, end, like(string(f.text[start:end]), command)}
		splices = append(splices, s)
		for _, u := range undo {
			if u.User == c.User && u.Command() == c.Command {
				changed = append(changed, u.redirected(f.swap(s)))
			}
		}
	}
	if text, err = f.apply(splices); err != nil {
		return nil, nil, err
	}
	return text, changed, f.check(text, func(t *tree) {
		for _, c := range calls {
			_, fields := t.user(c.index)
			if exec, _ := fields["exec"].(map[string]any); exec != nil {
				exec["command"] = command
			}
		}
	})
}

// redirected is u with the command of its block as it is written now. Nothing before
// it in a block of ours is a path.
func (u Undo) redirected(s Swap) Undo {
	if u.Token.Block != "" {
		u.Token.Block = strings.Replace(u.Token.Block, s.Old, s.New, 1)
	} else {
		u.Token.Exec = strings.Replace(u.Token.Exec, s.Old, s.New, 1)
	}
	return u
}
