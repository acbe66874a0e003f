package kubeconfig

import (
	"bytes"

	"go.yaml.in/yaml/v3"
)

// scalarEnd returns where a scalar ends.
func (f *File) scalarEnd(n *yaml.Node) (int, error) {
	at, err := f.offset(n)
	if err != nil {
		return 0, err
	}
	rest := f.text[at:]
	line := rest
	if i := bytes.IndexAny(rest, "\r\n"); i >= 0 {
		line = rest[:i]
	}
	var raw string
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0 && bytes.HasPrefix(line, []byte(`"`)):
		raw = doubleQuoted(line)
	case n.Style&yaml.SingleQuotedStyle != 0 && bytes.HasPrefix(line, []byte("'")):
		raw = singleQuoted(line)
	case n.Style&^yaml.TaggedStyle == 0 && bytes.HasPrefix(line, []byte(n.Value)):
		raw = n.Value
	}
	// Whatever was found must mean what the library read there.
	var again string
	if raw == "" || yaml.Unmarshal([]byte(raw), &again) != nil || again != n.Value {
		return 0, f.refuseLine(n.Line, "a value is written in a way that is not edited (several lines, a tag, a block)",
			"write it on one line, then import again")
	}
	return at + len(raw), nil
}

func doubleQuoted(line []byte) string {
	for i := 1; i < len(line); i++ {
		switch line[i] {
		case '\\':
			i++
		case '"':
			return string(line[:i+1])
		}
	}
	return ""
}

func singleQuoted(line []byte) string {
	for i := 1; i < len(line); i++ {
		if line[i] != '\'' {
			continue
		}
		if i+1 < len(line) && line[i+1] == '\'' {
			i++
			continue
		}
		return string(line[:i+1])
	}
	return ""
}
