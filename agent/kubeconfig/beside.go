package kubeconfig

import (
	"bytes"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// A token comes back beside our exec block when a program sets it in a user that
// it finds: "kubectl config set-credentials NAME --token" does. kubectl then uses
// the token. To import it means to take it out again: the block is there.

// spliceBeside removes the token of a user that has our block already.
func (f *File) spliceBeside(u *User, c Change) ([]splice, error) {
	if c.Exec.Credential != u.Ours || c.NewName != "" && c.NewName != u.Name {
		return nil, f.refuseLine(u.Line, fmt.Sprintf("user %s has a token beside the exec block of credential %q", u.shown(), u.Ours),
			"remove the one that you do not want, then import again")
	}
	if err := f.alone(u); err != nil {
		return nil, err
	}
	user := value(u.entry, "user")
	key, token := child(user, "token")
	start, err := f.offset(key)
	if err != nil {
		return nil, err
	}
	end, err := f.scalarEnd(token)
	if err != nil {
		return nil, err
	}
	if user.Style&yaml.FlowStyle != 0 {
		return f.removeEntry(start, end, token)
	}
	if _, ok := f.indent(start); !ok {
		return nil, f.refuseLine(key.Line, "the token does not begin its own line", "put it on a line of its own, then import again")
	}
	rest := f.lineEnd(end)
	switch {
	case len(bytes.TrimSpace(f.text[end:rest])) > 0: // somebody's comment, which stays
		blanks := len(f.text[end:]) - len(bytes.TrimLeft(f.text[end:], " \t"))
		return []splice{{start, end + blanks, ""}}, nil
	case rest == len(f.text):
		return []splice{{f.lineEnd(f.lineStart(f.lineStart(start) - 1)), rest, ""}}, nil
	}
	return []splice{{f.lineStart(start), rest + len(f.lineBreak(rest)), ""}}, nil
}

// removeEntry removes an entry of a flow mapping with one of the commas beside.
func (f *File) removeEntry(start, end int, token *yaml.Node) ([]splice, error) {
	after := bytes.TrimLeft(f.text[end:], " \t\r\n")
	if bytes.HasPrefix(after, []byte(",")) {
		after = bytes.TrimLeft(after[1:], " \t\r\n")
		return []splice{{start, len(f.text) - len(after), ""}}, nil
	}
	before := bytes.TrimRight(f.text[:start], " \t\r\n")
	if bytes.HasSuffix(before, []byte(",")) {
		return []splice{{len(before) - 1, end, ""}}, nil
	}
	return nil, f.refuseLine(token.Line, "the token stands among comments", "remove them, then import again")
}
