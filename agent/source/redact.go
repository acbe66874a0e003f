package source

import (
	"strings"
	"unicode"

	"github.com/cwagent/cwagent/agent/lazyregexp"
)

const (
	hidden  = "[secret]"
	longest = 200 // bytes of what others say that a person is shown
	gram    = 8   // bytes in a row of a secret that give it away
)

// A redactor makes what a program or a server says fit to be shown.
type redactor struct {
	secrets []string // of which nothing may show
	opaque  bool     // also hide what merely looks as if it could be a secret
}

var (
	// escapes are what terminals obey: CSI, OSC, and the short ones.
	escapes = lazyregexp.New(`\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[ -/]*[0-~])`)

	// named is what stands where a secret has its place. A colon alone does not
	// make one: "token: not found" is a sentence.
	named = lazyregexp.New(`(?i)\b(bearer|basic)\s+\S+|[\w-]*(token|secret|passw|pwd|credential|api.?key)[\w-]*("\s*:\s*"[^"]*"?|'\s*:\s*'[^']*'?|\s*=\s*("[^"]*"?|'[^']*'?|\S+))`)

	// told is the same in a sentence: what has a digit in it is no word of one.
	told = lazyregexp.New(`(?i)([\w-]*(?:token|secret|passw|pwd|passphrase|credential|api.?key)[\w-]*(?:\s*:|\s+is|\s)\s*)(\S*[0-9]\S{4,}|\S{5,}[0-9]\S*)`)

	// known are tokens with a form of their own, and the user part of a URL.
	known = lazyregexp.New(`(?i)CW-SECRET-\S*|eyJ[\w-]{5,}\S*|://[^/\s@]*@`)

	// wide is the most that one secret can stand in without a blank; within it
	// narrow tells a secret from a path or a host name.
	wide   = lazyregexp.New(`[A-Za-z0-9_\-+/=.~%]+`)
	narrow = lazyregexp.New(`[A-Za-z0-9_\-+=~%]+`)
)

// line is what was said as one line: its end, in whole lines, as many of the
// last three as fit.
func (r redactor) line(said string) string {
	lines := strings.FieldsFunc(escapes().ReplaceAllString(said, ""), func(c rune) bool { return c == '\n' || c == '\r' })
	out := ""
	for n := 0; len(lines) > 0 && n < 3; lines = lines[:len(lines)-1] {
		l := strings.TrimSpace(clean(lines[len(lines)-1]))
		if l == "" {
			continue
		}
		n++
		switch l = r.hide(l); {
		case out == "":
			out = bounded(l)
		case len(l)+len("; ")+len(out) > longest:
			return out
		default:
			out = l + "; " + out
		}
	}
	return out
}

// hide replaces secrets. The literal ones go first: the other rules cut words,
// and what is left of a secret would not be found any more.
func (r redactor) hide(s string) string {
	s = r.overlap(s)
	s = known().ReplaceAllStringFunc(s, func(m string) string {
		if strings.HasPrefix(m, "://") {
			return "://" + hidden + "@"
		}
		return hidden
	})
	s = named().ReplaceAllStringFunc(s, func(m string) string {
		if i := strings.IndexAny(m, "=: \t"); i > 0 {
			return m[:i+1] + hidden
		}
		return hidden
	})
	s = told().ReplaceAllString(s, "${1}"+hidden)
	if !r.opaque {
		return s
	}
	return wide().ReplaceAllStringFunc(s, func(word string) string {
		for _, part := range narrow().FindAllString(word, -1) {
			if looksOpaque(part) {
				return hidden
			}
		}
		return word
	})
}

// looksOpaque reports whether a word is not one that people or programs use for
// names: long, and of more than one sort of letters.
func looksOpaque(s string) bool {
	var lower, upper, digit bool
	for _, c := range s {
		lower, upper, digit = lower || unicode.IsLower(c), upper || unicode.IsUpper(c), digit || unicode.IsDigit(c)
	}
	letters := lower || upper
	return len(s) >= 32 || len(s) >= 16 && (digit && letters || lower && upper) || len(s) >= 20 && !strings.ContainsAny(s, "-_")
}

// overlap replaces every word that has eight bytes in a row of a secret, or a
// whole shorter one. Secrets may have a megabyte and what is said has few bytes,
// so it is these that are put into a table.
func (r redactor) overlap(s string) string {
	if len(r.secrets) == 0 {
		return s
	}
	at := map[string][]int{}
	for i := 0; i+gram <= len(s); i++ {
		if !strings.ContainsRune(s[i:i+gram], ' ') {
			at[s[i:i+gram]] = append(at[s[i:i+gram]], i)
		}
	}
	bad := make([]bool, len(s))
	for _, secret := range r.secrets {
		for word := range strings.FieldsSeq(secret) {
			if len(word) < gram && len(word) >= gram/2 {
				for i := range len(s) - len(word) + 1 {
					bad[i] = bad[i] || s[i:i+len(word)] == word
				}
			}
			for i := 0; i+gram <= len(word); i++ {
				for _, where := range at[word[i:i+gram]] {
					bad[where] = true
				}
			}
		}
	}
	return blot(s, bad)
}

// blot replaces the words of s in which a byte is bad.
func blot(s string, bad []bool) string {
	words := strings.Split(s, " ")
	at := 0
	for i, w := range words {
		for _, b := range bad[at : at+len(w)] {
			if b {
				words[i] = hidden
				break
			}
		}
		at += len(w) + 1
	}
	return strings.Join(words, " ")
}

// clean makes one line of printable ASCII of s: letters beyond it can look like
// others, or turn the direction of the line.
func clean(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case unicode.IsSpace(c):
			return ' '
		case c < ' ' || c > '~':
			return '?'
		}
		return c
	}, s)
}

func bounded(s string) string {
	if len(s) > longest {
		return s[:longest] + "..."
	}
	return s
}
