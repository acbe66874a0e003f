package config

import (
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// strict decodes n into the struct that v points to, and refuses keys that it
// does not have, which yaml.v3 forgets to do below an UnmarshalYAML. "<<" is no
// key here: whole entries can be shared by an alias.
func strict(n *yaml.Node, v any) error {
	t := reflect.TypeOf(v).Elem()
	var known []string
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("yaml"); key != "" {
			known = append(known, key)
		}
	}
	for i := 0; n.Kind == yaml.MappingNode && i < len(n.Content); i += 2 {
		if key := n.Content[i]; !slices.Contains(known, key.Value) {
			return &problem{key.Line, "unknown key " + quoteKey(key.Value), seeSample}
		}
	}
	return n.Decode(v)
}

// A list is a list of words.
type list []value

// UnmarshalYAML implements yaml.Unmarshaler.
func (l *list) UnmarshalYAML(n *yaml.Node) error {
	*l = list{}
	return entries(n, func(n *yaml.Node) error {
		var v value
		err := v.UnmarshalYAML(n)
		*l = append(*l, v)
		return err
	})
}

// entries calls each for the entries of the list n. yaml.v3 leaves empty ones
// out, and a "~" in argv would be an argument that is silently not there.
func entries(n *yaml.Node, each func(*yaml.Node) error) error {
	if n.Kind != yaml.SequenceNode {
		return &problem{n.Line, "a list is wanted here", seeSample}
	}
	for _, e := range n.Content {
		if e.Kind == yaml.AliasNode {
			e = e.Alias
		}
		if e.ShortTag() == "!!null" {
			return &problem{e.Line, "an empty entry", `remove it, or quote it: "" or "~"`}
		}
		if err := each(e); err != nil {
			return err
		}
	}
	return nil
}

// proper refuses what no word of a server or a source may hold. Tokens are found
// wherever they stand in a word: "--token=CW-SECRET-..." shows in every list of
// processes.
func proper(key string, words ...value) error {
	for _, v := range words {
		if strings.Contains(strings.ToUpper(v.text), "CW-SECRET-") {
			return v.problem(key+": a token has no place in the config", "cwagent add NAME asks for it and keeps it in the keyring")
		}
		if strings.ContainsRune(v.text, 0) {
			return v.problem(key+": a zero byte has no place in it", seeSample)
		}
	}
	return nil
}

// missing is the problem of a key that has to be there.
func missing(line int, key, hint string) error {
	return &problem{line, key + ": it is missing", hint}
}
