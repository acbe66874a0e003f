package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/agent/lazyregexp"
)

// A plan shows what becomes of a kubeconfig, and nothing of what is secret in
// it. What may be seen is listed, rather than what may not: a kubeconfig has more
// secrets than tokens, and people put things into it that nobody has thought of.

// hidden stands for a value that is not shown.
const hidden = "[secret]"

// shown are the keys of a kubeconfig whose values may be seen. "args" is there
// because ours have the credential's name; those of others are not changed, and
// what is only near a change is judged by nearby.
var shown = map[string]bool{
	"apiVersion": true, "kind": true, "name": true, "user": true, "users": true, "cluster": true, "clusters": true,
	"context": true, "contexts": true, "current-context": true, "namespace": true, "exec": true, "command": true,
	"args": true, "interactiveMode": true, "provideClusterInfo": true, "installHint": true, "server": true,
}

// wide is the length from which a line is broken up: a JSON kubeconfig has only
// one.
const wide = 120

// safeDiff returns the lines that differ, with what is around them, and without
// a secret.
func safeDiff(before, after []byte) string {
	all := diff.Diff("a", broken(before), "b", broken(after))
	var out strings.Builder
	head := 3 // "diff", "---", "+++": the file is named above
	for line := range strings.Lines(string(all)) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case head > 0:
			head--
			continue
		case strings.HasPrefix(line, "@@"), strings.HasPrefix(line, `\`), line == "":
		default:
			line = line[:1] + redactLine(line[1:], line[0] == ' ')
		}
		out.WriteString(printableLine(line) + "\n")
	}
	return out.String()
}

// broken puts the entries of long flow mappings on lines of their own.
func broken(text []byte) []byte {
	var out bytes.Buffer
	for line := range bytes.Lines(text) {
		if len(line) < wide || !bytes.ContainsAny(line, "{[") {
			out.Write(line)
			continue
		}
		quote := byte(0)
		for i, b := range line {
			out.WriteByte(b)
			switch {
			case quote == 0 && (b == '"' || b == '\''):
				quote = b
			case b == quote && (b == '\'' || line[i-1] != '\\'):
				quote = 0
			case quote == 0 && (b == ',' || b == '{'):
				out.WriteByte('\n')
			}
		}
	}
	return out.Bytes()
}

var (
	// entry is a key with a value behind it in a flow mapping or in JSON.
	entry = lazyregexp.New(`(["']?)([A-Za-z][A-Za-z-]*)(["']?\s*:\s*)("(?:[^"\\]|\\.)*"?|'(?:[^']|'')*'?|\[[^\]{}]*\]?|[^\s,{}\[\]"'][^,{}\[\]]*)`)

	// blockLine is a key at the beginning of a line.
	blockLine = lazyregexp.New(`^((?:\s|- )*)(["']?)([A-Za-z][A-Za-z-]*)(["']?):(\s.*)?$`)

	// remark is where a comment may begin. Within quotes it is none, but what
	// quotes are there a single line does not always tell.
	remark = lazyregexp.New(`(?:^|[ \t])#`)

	// userinfo is a password in a URL.
	userinfo = lazyregexp.New(`//[^/\s@]*@`)
)

// redactLine returns a line of a kubeconfig without its comment, which no edit
// touches and in which anything may stand, and without the values that are not
// listed as harmless. nearby is one that a change does not touch.
func redactLine(line string, nearby bool) string {
	code, comment := line, ""
	if at := remark().FindStringIndex(line); at != nil {
		code, comment = line[:at[1]-1], "# [...]"
	}
	m := blockLine().FindStringSubmatch(code)
	value := ""
	if m != nil {
		value = strings.TrimSpace(m[5])
	}
	switch {
	case strings.TrimSpace(code) == "":
	case strings.ContainsAny(code, "{}"), m == nil && strings.ContainsAny(code, `:,`):
		code = redactFlow(code, nearby)
	case m == nil, m[3] == "args" && nearby && value != "":
		code = indentOf(code) + "[...]"
	case value != "" && !shown[m[3]]:
		code = m[1] + m[2] + m[3] + m[4] + ": " + hidden + code[len(strings.TrimRight(code, " \t")):]
	}
	return kubeconfig.HideTokens(userinfo().ReplaceAllString(code, "//"+hidden+"@") + comment)
}

// redactFlow is redactLine for what is written as {key: value, ...}, or for a
// part of it.
func redactFlow(code string, nearby bool) string {
	rest := entry().ReplaceAllStringFunc(code, func(s string) string {
		m := entry().FindStringSubmatch(s)
		if shown[m[2]] && (m[2] != "args" || !nearby) {
			return s
		}
		return m[1] + m[2] + m[3] + hidden
	})
	// What is left over when the entries are taken out has to be punctuation.
	for _, word := range strings.FieldsFunc(entry().ReplaceAllString(code, ""), func(r rune) bool { return strings.ContainsRune(" \t,:{}[]\"'-", r) }) {
		if !shown[word] {
			rest = strings.ReplaceAll(rest, word, "[...]")
		}
	}
	return rest
}

func indentOf(s string) string { return s[:len(s)-len(strings.TrimLeft(s, " \t"))] }

// printableLine keeps a file from steering the terminal.
func printableLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '?'
		}
		return r
	}, s)
}

// printDiff shows a diff below the plan of its file.
func printDiff(out io.Writer, text string) {
	for line := range strings.Lines(text) {
		fmt.Fprint(out, "    "+line)
	}
}
