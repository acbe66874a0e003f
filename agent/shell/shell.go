// Package shell writes words for a command line that a person may copy.
package shell

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// harmless matches what a shell takes as it is.
var harmless = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// Word writes s as one argument.
func Word(s string) string {
	if harmless.MatchString(s) {
		return s
	}
	if strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) < 0 {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '\'' || c == '\\' {
			fmt.Fprintf(&b, `\x%02x`, c)
		} else {
			b.WriteByte(c)
		}
	}
	return "$'" + b.String() + "'"
}

// Words writes a whole command.
func Words(words ...string) string {
	var out []string
	for _, w := range words {
		out = append(out, Word(w))
	}
	return strings.Join(out, " ")
}
