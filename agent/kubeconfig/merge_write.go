package kubeconfig

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// write puts the entries into the text of the other file.
func (m *merger) write() ([]byte, error) {
	f := m.into
	var splices []splice
	var missing []string // lists and keys that have to be made, in order
	for _, l := range lists {
		items := m.items[l.key]
		if len(items) == 0 {
			continue
		}
		key, list := child(f.root, l.key)
		if key == nil {
			missing = append(missing, l.key)
			continue
		}
		s, err := m.extend(key, list, items)
		if err != nil {
			return nil, err
		}
		splices = append(splices, s...)
	}
	if key, n := child(f.root, "current-context"); m.current != "" && key != nil {
		s, err := m.setCurrent(key, n)
		if err != nil {
			return nil, err
		}
		splices = append(splices, s)
	} else if m.current != "" {
		missing = append(missing, "current-context")
	}
	if len(missing) > 0 {
		s, err := m.appendKeys(missing)
		if err != nil {
			return nil, err
		}
		splices = append(splices, s)
	}
	out, err := f.apply(splices)
	if err != nil {
		return nil, err
	}
	return out, m.check(out)
}

// extend adds entries to a list.
func (m *merger) extend(key, list *yaml.Node, items []*yaml.Node) ([]splice, error) {
	f := m.into
	if list.Kind == yaml.AliasNode || list.Anchor != "" {
		return nil, f.refuseLine(list.Line, key.Value+" is shared by an anchor or an alias", "write the list out, then merge again")
	}
	if len(list.Content) == 0 {
		return m.fillEmpty(key, list, items)
	}
	start, err := f.offset(list)
	if err != nil {
		return nil, err
	}
	if list.Style&yaml.FlowStyle != 0 {
		return m.extendFlow(list, start, items)
	}
	indent, ok := f.indent(start)
	if !ok || f.text[start] != '-' {
		return nil, f.refuseLine(list.Line, "where the entries of "+key.Value+" begin cannot be told", "write the list on lines of its own below its key, then merge again")
	}
	gap := 2
	if first := list.Content[0]; first.Line == list.Line && first.Column > list.Column {
		gap = first.Column - list.Column
	}
	last, err := f.offset(list.Content[len(list.Content)-1])
	if err != nil {
		return nil, err
	}
	at := f.blockEnd(f.lineEnd(last), len(indent))
	text, err := m.block(items, indent, gap, f.lineBreak(at))
	return []splice{{at, at, text}}, err
}

// extendFlow adds entries before the bracket that closes a list.
func (m *merger) extendFlow(list *yaml.Node, start int, items []*yaml.Node) ([]splice, error) {
	at, _ := m.into.flowTail(start)
	if at < 0 {
		return nil, m.into.refuseLine(list.Line, "where a list ends cannot be told", "")
	}
	text, err := m.flow(items)
	if err != nil {
		return nil, err
	}
	if c := m.into.text[at-1]; c != ',' && c != '[' {
		text = "," + text
	}
	return []splice{{at, at, text}}, nil
}

// fillEmpty gives a list its first entries: it may be "[]", null or nothing.
func (m *merger) fillEmpty(key, list *yaml.Node, items []*yaml.Node) ([]splice, error) {
	f := m.into
	start, err := f.offset(list)
	if err != nil {
		return nil, err
	}
	end := start + len(list.Value) // of a null
	if list.Kind == yaml.SequenceNode {
		end = f.flowEnd(start)
	}
	if end < 0 || list.Kind == yaml.SequenceNode && list.Line != key.Line {
		return nil, f.refuseLine(list.Line, "an empty list is written in a way that is not edited", "remove it, then merge again")
	}
	if f.root.Style&yaml.FlowStyle != 0 {
		text, err := m.flow(items)
		return []splice{{start, end, "[" + text + "]"}}, err
	}
	keyEnd, err := f.scalarEnd(key)
	if err != nil {
		return nil, err
	}
	colon := keyEnd + bytes.IndexByte(f.text[keyEnd:], ':') + 1
	rest := f.lineEnd(colon)
	text, err := m.block(items, "", 2, f.lineBreak(rest))
	if err != nil || end > rest || len(list.Value) == 0 && list.Kind == yaml.ScalarNode {
		return []splice{{rest, rest, text}}, err
	}
	return []splice{{colon, end, ""}, {rest, rest, text}}, nil
}

// setCurrent puts the current context where an empty one stands.
func (m *merger) setCurrent(key, n *yaml.Node) (splice, error) {
	f := m.into
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		return splice{}, f.refuseLine(n.Line, key.Value+" is shared by an anchor or an alias", "write it out, then merge again")
	}
	start, err := f.offset(n)
	if err != nil {
		return splice{}, err
	}
	end := start
	switch {
	case n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0:
		end += 2
	case n.Value != "":
		end += len(n.Value)
	default: // nothing stands there
		keyEnd, err := f.scalarEnd(key)
		if err != nil {
			return splice{}, err
		}
		start = keyEnd + bytes.IndexByte(f.text[keyEnd:], ':') + 1
		return splice{start, start, " " + m.scalar(m.current)}, nil
	}
	return splice{start, end, m.scalar(m.current)}, nil
}

func (m *merger) scalar(s string) string {
	if m.into.root.Style&yaml.FlowStyle != 0 {
		return quoted(s)
	}
	return scalar(s)
}

// appendKeys adds what is missing at the end of the file.
func (m *merger) appendKeys(keys []string) (splice, error) {
	f := m.into
	if f.root.Style&yaml.FlowStyle != 0 {
		return m.appendFlowKeys(keys)
	}
	nl := f.lineBreak(f.lineEnd(0))
	at := len(f.text)
	for i, line := 0, []byte(nil); i < len(f.text); i += len(line) {
		line = f.text[i:min(f.lineEnd(i)+len(nl), len(f.text))]
		if bytes.HasPrefix(line, []byte("...")) { // the end of the document
			at = i
			break
		}
	}
	var b strings.Builder
	if at > 0 && f.text[at-1] != '\n' {
		b.WriteString(nl)
	}
	for _, key := range keys {
		if key == "current-context" {
			b.WriteString(key + ": " + m.scalar(m.current) + nl)
			continue
		}
		text, err := m.block(m.items[key], "", 2, nl)
		if err != nil {
			return splice{}, err
		}
		b.WriteString(key + ":" + text + nl)
	}
	return splice{at, at, b.String()}, nil
}

func (m *merger) appendFlowKeys(keys []string) (splice, error) {
	f := m.into
	start, err := f.offset(f.root)
	if err != nil {
		return splice{}, err
	}
	at, _ := f.flowTail(start)
	if at < 0 {
		return splice{}, f.refuseLine(f.root.Line, "where the file ends cannot be told", "")
	}
	text := ""
	for _, key := range keys {
		v := quoted(m.current)
		if key != "current-context" {
			items, err := m.flow(m.items[key])
			if err != nil {
				return splice{}, err
			}
			v = "[" + items + "]"
		}
		text += "," + quoted(key) + ":" + v
	}
	if c := f.text[at-1]; c == ',' || c == '{' {
		text = text[1:]
	}
	return splice{at, at, text}, nil
}

// block writes entries as those of a block list, each line after a line break.
func (m *merger) block(items []*yaml.Node, indent string, gap int, nl string) (string, error) {
	var out strings.Builder
	for _, item := range items {
		var b bytes.Buffer
		e := yaml.NewEncoder(&b)
		e.SetIndent(2)
		if err := e.Encode(item); err != nil {
			return "", m.from.refuseLine(item.Line, "an entry cannot be written", "")
		}
		lead := indent + "-" + strings.Repeat(" ", gap-1)
		for line := range strings.Lines(b.String()) {
			if line = strings.TrimSuffix(line, "\n"); line != "" {
				line = lead + line
			}
			out.WriteString(nl + line)
			lead = indent + strings.Repeat(" ", gap)
		}
	}
	return out.String(), nil
}

// flow writes entries as JSON, which is YAML as well.
func (m *merger) flow(items []*yaml.Node) (string, error) {
	var out []string
	for _, item := range items {
		var v any
		err := item.Decode(&v)
		b, jerr := json.Marshal(v)
		if err != nil || jerr != nil {
			return "", m.from.refuseLine(item.Line, "an entry cannot be written as JSON", "")
		}
		out = append(out, foreign.ReplaceAllStringFunc(string(b), func(s string) string {
			return strings.Trim(quoted(s), `"`)
		}))
	}
	return strings.Join(out, ","), nil
}

// foreign are the characters that may stand in JSON's strings as they are.
var foreign = regexp.MustCompile(`[^ -~]`)

// check decodes the text and compares it with what was meant.
func (m *merger) check(text []byte) error {
	return m.into.check(text, func(t *tree) {
		for key, items := range m.items {
			list, _ := t.root[key].([]any)
			for _, item := range items {
				var v any
				_ = item.Decode(&v) // it was decoded before
				list = append(list, v)
			}
			t.root[key] = list
		}
		if m.current != "" {
			t.root["current-context"] = m.current
		}
	})
}
