package kubeconfig

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// An Escape says that a rune of a token in double quotes was not written as we
// would have written it: how, and never which rune it is.
type Escape struct {
	At   int    `json:"at"`   // index of the rune
	Kind string `json:"kind"` // one of kinds
}

// kinds are the ways to write a rune in double quotes that we do not take.
var kinds = []string{"r", "l", "b", "x", "X", "u", "U", "uu", "UU"}

// written returns a rune written in that way, or in ours.
func written(r rune, kind string) string {
	switch kind {
	case "r":
		return string(r)
	case "b":
		return `\` + string(r)
	case "l":
		return letter(r)
	case "x":
		return fmt.Sprintf(`\x%02x`, r)
	case "X":
		return fmt.Sprintf(`\x%02X`, r)
	case "u":
		return fmt.Sprintf(`\u%04x`, r)
	case "U":
		return fmt.Sprintf(`\u%04X`, r)
	case "uu":
		return fmt.Sprintf(`\U%08x`, r)
	case "UU":
		return fmt.Sprintf(`\U%08X`, r)
	}
	return own(r)
}

// letters are the escapes of one letter that the library knows, and meant the
// runes they stand for.
const letters = `0abtnvfre "'\N_LP`

var meant = []rune("\x00\a\b\t\n\v\f\r\x1b \"'\\\u0085\u00a0\u2028\u2029")

func letter(r rune) string {
	for i, m := range meant {
		if m == r {
			return `\` + letters[i:i+1]
		}
	}
	return string(r) // it has none
}

// own is how we write a rune in double quotes: as JSON does, and escaped where
// YAML does not allow it.
func own(r rune) string {
	switch {
	case strings.ContainsRune("\"\\\n\r\t", r):
		return letter(r)
	case r < ' ', r >= 0x7f && r <= 0xa0, r == 0x2028, r == 0x2029, r == 0xfeff, r == 0xfffe, r == 0xffff:
		return fmt.Sprintf(`\u%04x`, r)
	}
	return string(r)
}

// quoted writes s in double quotes, in a spelling that is both JSON and YAML.
func quoted(s string) string { return spelled(s, nil) }

// spelled writes s in double quotes, with the escapes that stood in another.
func spelled(s string, escapes []Escape) string {
	var b strings.Builder
	b.WriteByte('"')
	n := 0
	for _, r := range s {
		kind := ""
		if len(escapes) > 0 && escapes[0].At == n {
			kind, escapes = escapes[0].Kind, escapes[1:]
		}
		b.WriteString(written(r, kind))
		n++
	}
	return b.String() + `"`
}

// escapes returns how raw, a scalar in double quotes on one line, differs from
// what spelled would make of it.
func escapes(raw string) []Escape {
	var out []Escape
	n := 0
	for s := raw[1 : len(raw)-1]; s != ""; n++ {
		r, size := unescape(s)
		if s[:size] != own(r) {
			out = append(out, Escape{n, kindOf(r, s[:size])})
		}
		s = s[size:]
	}
	return out
}

// kindOf returns the first kind that writes r so. A spelling in mixed case has
// none: who compares finds out.
func kindOf(r rune, raw string) string {
	for _, kind := range kinds {
		if written(r, kind) == raw {
			return kind
		}
	}
	return ""
}

// unescape returns the first rune of what stands in double quotes, and how many
// bytes it takes.
func unescape(s string) (rune, int) {
	r, size := utf8.DecodeRuneInString(s)
	if r != '\\' || len(s) < 2 {
		return r, size
	}
	if n := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[1]]; n > 0 && len(s) >= 2+n {
		v, _ := strconv.ParseUint(s[2:2+n], 16, 32)
		return rune(v), 2 + n
	}
	if i := strings.IndexByte(letters, s[1]); i >= 0 {
		return meant[i], 2
	}
	r, size = utf8.DecodeRuneInString(s[1:]) // a tab, which may stand for itself
	return r, 1 + size
}
