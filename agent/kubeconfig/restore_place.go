package kubeconfig

import (
	"bytes"
	"fmt"
	"slices"

	"go.yaml.in/yaml/v3"
)

// revertName writes a name as it was written before, or in the quotes that the
// name there has now.
func (f *File) revertName(r *revert, n *yaml.Node, old Swap) (splice, bool) {
	if n == nil || n.Kind != yaml.ScalarNode || n.Anchor != "" {
		return splice{}, false
	}
	start, err := f.offset(n)
	if err != nil {
		return splice{}, false
	}
	end, err := f.scalarEnd(n)
	if err != nil {
		return splice{}, false
	}
	raw := string(f.text[start:end])
	if old.Old != "" && raw == old.New {
		return splice{start, end, old.Old}, true
	}
	r.exact = false
	return splice{start, end, like(raw, r.newName)}, true
}

// forContext takes the reference of that context out of those that are known.
func forContext(refs []Reference, context string) (Swap, []Reference) {
	i := slices.IndexFunc(refs, func(r Reference) bool { return r.Context == context })
	switch {
	case i < 0:
		return Swap{}, refs
	case i == 0: // the usual case: nobody has moved them
		return refs[0].Swap, refs[1:]
	}
	return refs[i].Swap, slices.Concat(refs[:i], refs[i+1:])
}

// revertToken puts the token in the place of the exec block.
func (f *File) revertToken(r *revert) ([]splice, error) {
	user := value(r.entry, "user")
	key, exec := child(user, "exec")
	if key == nil {
		return nil, f.refuseShared(r, r.Line)
	}
	for _, n := range []*yaml.Node{r.entry, user, exec, key} {
		if n.Kind == yaml.AliasNode || n.Anchor != "" {
			return nil, f.refuseShared(r, n.Line)
		}
	}
	if k, _ := child(user, "token"); k != nil { // an empty one
		return nil, f.refuseLine(k.Line, fmt.Sprintf("user %q has an empty token beside its exec block", r.name), "remove it, then restore again")
	}
	start, err := f.offset(key)
	if err != nil {
		return nil, err
	}
	if user.Style&yaml.FlowStyle != 0 {
		return f.revertInline(r, start, key, exec)
	}
	if _, ok := f.indent(start); !ok {
		return nil, f.refuseLine(key.Line, "the exec block does not begin its own line", "put it on a line of its own, then restore again")
	}
	if exec.Line == key.Line {
		return f.revertInline(r, start, key, exec)
	}
	return f.revertBlock(r, start, key)
}

func (f *File) refuseShared(r *revert, line int) error {
	return f.refuseLine(line, fmt.Sprintf("the exec block of user %q is shared by an anchor, an alias or a merge key", r.name),
		"write it into the user itself, then restore again")
}

// revertInline restores where the exec block is a flow mapping.
func (f *File) revertInline(r *revert, start int, key, exec *yaml.Node) ([]splice, error) {
	keyEnd, err := f.scalarEnd(key)
	if err != nil {
		return nil, err
	}
	at, err := f.offset(exec)
	if err != nil {
		return nil, err
	}
	end := f.flowEnd(at)
	if end < 0 || f.text[at] != '{' {
		return nil, f.refuseLine(exec.Line, fmt.Sprintf("where the exec block of user %q ends cannot be told", r.name), "write it on one line, then restore again")
	}
	if p := r.place(); p.Block == "" && p.Exec == string(f.text[start:end]) {
		return []splice{{start, end, p.Key + p.spell(r.token)}}, nil
	}
	r.exact = false
	if f.json || f.text[start] == '"' {
		return []splice{{start, keyEnd, `"token"`}, {at, end, quoted(r.token)}}, nil
	}
	return []splice{{start, keyEnd, "token"}, {at, end, scalar(r.token)}}, nil
}

// revertBlock restores where the exec block stands on the lines below its key.
func (f *File) revertBlock(r *revert, start int, key *yaml.Node) ([]splice, error) {
	keyEnd, err := f.scalarEnd(key)
	if err != nil {
		return nil, err
	}
	colon := bytes.IndexByte(f.text[keyEnd:], ':')
	if colon < 0 || len(bytes.Trim(f.text[keyEnd:keyEnd+colon], " \t")) > 0 {
		return nil, f.refuseLine(key.Line, fmt.Sprintf("the exec block of user %q is written in a way that is not edited", r.name), "")
	}
	keyEnd += colon + 1
	rest := f.lineEnd(keyEnd)
	end := f.blockEnd(rest, start-f.lineStart(start))
	p := r.place()
	if p.Block != "" && p.Exec == string(f.text[start:keyEnd]) && p.Block == string(f.text[rest:end]) {
		return []splice{{start, keyEnd, p.Key + p.spell(r.token)}, {rest, end, ""}}, nil
	}
	r.exact = false
	return []splice{{start, keyEnd, "token: " + scalar(r.token)}, {rest, end, ""}}, nil
}

// place is where the token stood, as far as that is known.
func (r *revert) place() *Place {
	if r.undo == nil {
		return &Place{}
	}
	return &r.undo.Token
}

// blockEnd returns where the last line ends that belongs to the block of a key at
// that indentation: deeper ones do, with the comments between them. at is the
// end of the key's line.
func (f *File) blockEnd(at, indent int) int {
	end := at
	for at < len(f.text) {
		i := bytes.IndexByte(f.text[at:], '\n')
		if i < 0 || at+i+1 == len(f.text) {
			break
		}
		start := at + i + 1
		at = f.lineEnd(start)
		line := f.text[start:at]
		body := bytes.TrimLeft(line, " ")
		switch deeper := len(line)-len(body) > indent; {
		case len(bytes.TrimSpace(body)) == 0, body[0] == '#':
		case !deeper:
			return end
		default:
			end = at
		}
	}
	return end
}

// flowEnd returns where the flow mapping ends that begins at, or -1.
func (f *File) flowEnd(at int) int {
	_, end := f.flowTail(at)
	return end
}

// flowTail also returns where the last thing in it ends, before the blanks and
// comments in front of its bracket.
func (f *File) flowTail(at int) (tail, end int) {
	depth := 0
	last := byte('{') // what is before, blanks aside
	for i := at; i < len(f.text); i++ {
		switch c := f.text[i]; {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			continue
		case c == '#' && i > at && bytes.IndexByte([]byte(" \t\r\n"), f.text[i-1]) >= 0:
			i = f.lineEnd(i) - 1
			continue
		case (c == '"' || c == '\'') && bytes.IndexByte([]byte("{[,:"), last) >= 0:
			n := quotedEnd(f.text[i:])
			if n < 0 {
				return -1, -1
			}
			i += n - 1
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
		if depth == 0 {
			return tail, i + 1
		}
		last, tail = f.text[i], i+1
	}
	return -1, -1
}
