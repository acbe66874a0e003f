package config

import (
	"errors"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/cwagent/cwagent/agent/lazyregexp"
)

const seeSample = "the README has a sample of every key"

var errNotOurHome = errors.New("~ stands for your own home folder only")

// A problem is what is wrong in one line of the file.
type problem struct {
	line      int
	why, hint string
}

func (p *problem) Error() string { return p.why }

// The sentences in which yaml.v3 puts what does not fit a struct. It quotes
// values, which may be a token in the wrong place, and Go's types, which say
// nothing to a person.
var (
	unknownKey = lazyregexp.New(`^line (\d+): field (?s:(.*)) not found in type `)
	twiceKey   = lazyregexp.New(`^line (\d+): mapping key (?s:.*) already defined at line (\d+)$`)
	wrongType  = lazyregexp.New(`^line (\d+): cannot unmarshal !!(?s:.*) into (\S+)$`)
	syntax     = lazyregexp.New(`^yaml: line (\d+): (.*)$`)
)

// translate makes a problem of an error of yaml.v3; of several the first.
func translate(err error) error {
	var types *yaml.TypeError
	if p := (*problem)(nil); errors.As(err, &p) {
		return p
	}
	if !errors.As(err, &types) || len(types.Errors) == 0 {
		if m := syntax().FindStringSubmatch(err.Error()); m != nil {
			return &problem{number(m[1]), "not YAML: " + m[2], "indent with blanks, never with tabs"}
		}
		return &problem{0, "not YAML", "indent with blanks, never with tabs"}
	}
	s := types.Errors[0]
	if m := unknownKey().FindStringSubmatch(s); m != nil {
		return &problem{number(m[1]), "unknown key " + quoteKey(m[2]), seeSample}
	}
	if m := twiceKey().FindStringSubmatch(s); m != nil {
		return &problem{number(m[1]), "the key stands in line " + m[2] + " already", "remove one of the two"}
	}
	if m := wrongType().FindStringSubmatch(s); m != nil {
		want := "a mapping"
		if m[2][0] == '[' {
			want = "a list"
		}
		return &problem{number(m[1]), want + " is wanted here", seeSample}
	}
	return &problem{0, "it cannot be read", seeSample}
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// quoteKey shows a key, if it is one: "CW-SECRET-...:" would be a token, and a
// list is no word.
func quoteKey(s string) string {
	const most = 40
	if s == "" || len(s) > most || strings.Contains(s, "CW-SECRET-") {
		return "here"
	}
	return strconv.QuoteToASCII(s)
}
