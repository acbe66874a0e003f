package kubeconfig

import (
	"bytes"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// plain matches strings that are strings in YAML without quotes: they begin
// with a letter or a slash, end the same way or with a digit, and hold nothing
// that YAML would read as a sign or as another type.
var plain = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9/._-]*$`)

// words that YAML 1.1 reads as something else than a string.
var words = regexp.MustCompile(`^(?i:y|n|yes|no|on|off|true|false|null)$`)

// unquoted reports whether we would write s without quotes.
func unquoted(s string) bool { return plain.MatchString(s) && !words.MatchString(s) }

func scalar(s string) string {
	if unquoted(s) {
		return s
	}
	return quoted(s)
}

// like writes s with the quotes that raw has.
func like(raw, s string) string {
	switch {
	case strings.HasPrefix(raw, `"`):
		return quoted(s)
	case strings.HasPrefix(raw, "'"):
		return single(s)
	}
	return scalar(s)
}

// single writes s in single quotes where those can hold it.
func single(s string) string {
	if raw := "'" + strings.ReplaceAll(s, "'", "''") + "'"; means(raw, s) {
		return raw
	}
	return quoted(s)
}

// means reports whether YAML reads raw as the string s.
func means(raw, s string) bool {
	var again any
	return yaml.Unmarshal([]byte(raw), &again) == nil && again == s
}

// placeOf notes how a token is written, without it.
func placeOf(raw, token string) Place {
	switch p := (Place{Quote: raw[:1]}); p.Quote {
	case `"`:
		p.Escapes = escapes(raw)
		return p
	case "'":
		return p
	}
	return Place{Bare: !unquoted(token)}
}

// spell writes a token as the one was written that stood here.
func (p *Place) spell(token string) string {
	switch {
	case p.Quote == `"`:
		return spelled(token, p.Escapes)
	case p.Quote == "'":
		return single(token)
	case p.Bare && p.holds(token):
		return token
	}
	return scalar(token)
}

// holds reports whether YAML reads token as that string where it stood, without
// quotes: a flow mapping is stricter.
func (p *Place) holds(token string) bool {
	raw := "k: " + token
	if p.Block == "" {
		raw = "{k: " + token + "}"
	}
	var m map[string]any
	return yaml.Unmarshal([]byte(raw), &m) == nil && len(m) == 1 && m["k"] == token
}

// scalarEnd returns where a scalar ends.
func (f *File) scalarEnd(n *yaml.Node) (int, error) {
	at, err := f.offset(n)
	if err != nil {
		return 0, err
	}
	rest := f.text[at:]
	var raw string
	switch {
	case n.Style&yaml.DoubleQuotedStyle != 0 && bytes.HasPrefix(rest, []byte(`"`)),
		n.Style&yaml.SingleQuotedStyle != 0 && bytes.HasPrefix(rest, []byte("'")):
		if end := quotedEnd(rest); end > 0 && bytes.IndexAny(rest[:end], "\r\n") < 0 {
			raw = string(rest[:end])
		}
	case n.Style&^yaml.TaggedStyle == 0 && bytes.HasPrefix(rest, []byte(n.Value)) && !strings.ContainsAny(n.Value, "\r\n"):
		raw = n.Value
	}
	// Whatever was found must mean what the library read there.
	var again string
	if raw == "" || !unquoted(raw) && (yaml.Unmarshal([]byte(raw), &again) != nil || again != n.Value) {
		return 0, f.refuseLine(n.Line, "a value is written in a way that is not edited (several lines, a tag, a block)",
			"write it on one line, then import again")
	}
	return at + len(raw), nil
}

// quotedEnd returns the length of the quoted scalar at the beginning of text,
// which may go over several lines.
func quotedEnd(text []byte) int {
	q := text[0]
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && q == '"':
			i++
		case text[i] == q && q == '\'' && i+1 < len(text) && text[i+1] == q:
			i++
		case text[i] == q:
			return i + 1
		}
	}
	return -1
}
