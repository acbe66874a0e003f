// Package cleartext finds tokens that lie in clear in the files of other programs:
// variables of shells, of Terraform and the like, histories, settings of S3 clients.
// (Kubeconfigs are the matter of package kubeconfig.)
//
// It is pure: text in, places out. A place says where a token is and what it is called
// there, and never holds a byte of it, so that nothing that is made of a place can show
// one. What begins as CoreWeave's tokens do is found wherever it stands; a value of
// another shape only where one of the variables is set that such a token belongs into.
// What merely stands for a token is none: $TOKEN, ${TOKEN}, $(cwagent token prod), <token>,
// xxxx, op://vault/item.
package cleartext

import (
	"bytes"
	"strings"

	"github.com/cwagent/cwagent/agent/lazyregexp"
)

// A Place is where a token lies.
type Place struct {
	Line     int    // counted from 1
	Variable string // that it is the value of; empty where that is not to be seen
	Prefixed bool   // it begins as CoreWeave's do; else only its variable tells
}

// Known are the variables that programs read such a token from, the usual one first.
var Known = []string{"COREWEAVE_API_TOKEN", "CW_API_TOKEN", "CW_API_ACCESS_TOKEN", "CW_TOKEN", "CWSANDBOX_API_KEY"}

var (
	// token is what begins as CoreWeave's do. Its alphabet is unpublished: what ends a JSON
	// string, a quoted word or a bare one ends it. One that begins with a sign is a
	// pattern that somebody searched for.
	token = lazyregexp.New(`CW-SECRET-([A-Za-z0-9][^\s"'` + "`" + `\\<>{}()\[\],;|&$]*)`)

	// assigned is a known variable that gets a value, in the ways of shells (also fish's
	// "set -gx NAME VALUE" and csh's setenv), of env files, YAML, JSON, HCL, fish_variables
	// and pam_environment. Terraform and Ansible have them in lower case.
	assigned = lazyregexp.New(`(?i)(?:^|[^A-Za-z0-9_])((?:TF_VAR_)?(?:` + strings.Join(Known, "|") + `))(?:["']?[ \t]*[=:][ \t]*|[ \t]+(?:DEFAULT=|OVERRIDE=)?)(?:"([^"\n]*)"|'([^'\n]*)'|([^\s"';|&,)]*))`)

	// named is what stands before a value: a name and a sign that gives it the value. A
	// name that follows another sign may be part of a secret, and is none.
	named = lazyregexp.New(`(?:^|[\s"',;{(?&|])(?:coreweave:)?(-{0,2}[A-Za-z_][A-Za-z0-9_-]*)(?:["']?\s*[=:]\s*["']?(?:Bearer\s+)?|["']?\s+(?:DEFAULT=|OVERRIDE=)?["']?)$`)

	// sets is what comes before a name that gets its value without a sign.
	sets = lazyregexp.New(`(?:^|[\s;|&])(?:set(?:\s+-\S+)*|setenv|SETUVAR(?:\s+-\S+)*)\s+$`)
)

// Find returns the places of a text of that kind, in its order, each variable once a
// line. It takes time in proportion to the text.
func Find(kind Kind, text []byte) (places []Place) {
	line := 0
	for raw := range bytes.Lines(bytes.TrimPrefix(text, []byte("\ufeff"))) {
		line++
		for _, p := range inLine(unescape(kind, string(raw))) {
			if kind == Other && !p.Prefixed {
				continue // what is called CW_TOKEN may be anything there
			}
			p.Line = line
			places = append(places, p)
		}
	}
	return places
}

const prefix = "CW-SECRET-"

// A line may have 8 MiB: of so many tokens in one the names are looked for, in so many
// bytes before each.
const (
	most  = 100
	reach = 256
)

// inLine returns the tokens of a line, each name once.
func inLine(line string) (places []Place) {
	had := map[string]bool{}
	add := func(name string, prefixed bool) {
		if !had[name] {
			had[name] = true
			places = append(places, Place{Variable: name, Prefixed: prefixed})
		}
	}
	// Most lines have neither: it takes less to see that than to search them.
	if !strings.Contains(line, "_") && !strings.Contains(line, prefix) {
		return nil
	}
	for _, at := range token().FindAllStringSubmatchIndex(line, most) {
		rest := line[at[2]:min(at[3], at[2]+reach)]
		if stands(rest) {
			continue
		}
		name := nameBefore(line[max(0, at[0]-reach):at[0]])
		if strings.Contains(name, prefix) || len(name) >= 8 && strings.Contains(rest, name) {
			name = "" // somebody has pasted a part of it there
		}
		add(name, true)
	}
	for _, m := range assigned().FindAllStringSubmatch(line, most) {
		if value := m[2] + m[3] + m[4]; !strings.Contains(value, prefix) && likely(value) {
			add(m[1], false)
		}
	}
	return places
}

// nameBefore returns the name that a value has, from what stands before it.
func nameBefore(before string) string {
	m := named().FindStringSubmatchIndex(before)
	if m == nil {
		return ""
	}
	name, sign := before[m[2]:m[3]], before[m[3]:]
	switch {
	case len(name) > 64:
		return "" // no name that a person gave
	case strings.ContainsAny(sign, "=:"), strings.HasPrefix(name, "--"), name == "password":
		return name
	case sets().MatchString(before[:m[2]]):
		return name
	}
	return ""
}

// unescape undoes what fish writes in place of some bytes: its history has a command of
// several lines in one, its variables have all but letters and digits as numbers. What
// comes out is for searching only.
func unescape(kind Kind, line string) string {
	switch {
	case kind == History && strings.HasPrefix(line, "- cmd: "):
		return strings.NewReplacer(`\\`, `\`, `\n`, " ; ").Replace(line)
	case kind == Shell && strings.HasPrefix(line, "SET"):
		return strings.NewReplacer(`\x2d`, "-", `\x2e`, ".", `\x2b`, "+", `\x2f`, "/", `\x3d`, "=", `\x3a`, ":", `\x7e`, "~", `\x24`, "$", `\x3c`, "<").Replace(line)
	}
	return line
}
