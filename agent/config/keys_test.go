package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// pathsOf are the keys that a struct of the file has, with those below.
func pathsOf(t reflect.Type, prefix string) (all []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if name == "" {
			continue
		}
		in := f.Type
		if in.Kind() == reflect.Slice {
			in = in.Elem()
		}
		if below := pathsOf(in, prefix+name+"."); len(below) > 0 {
			all = append(all, below...)
		} else {
			all = append(all, prefix+name)
		}
	}
	return all
}

// What the manual page explains is what the file can have, no more and no less.
func TestKeys(t *testing.T) {
	t.Parallel()
	var said []string
	for _, k := range Keys {
		said = append(said, k.Path)
		if k.Type == "" || !strings.HasSuffix(k.Meaning, ".") {
			t.Errorf("%s is not explained", k.Path)
		}
	}
	read := pathsOf(reflect.TypeFor[file](), "")
	slices.Sort(said)
	slices.Sort(read)
	if !slices.Equal(said, read) {
		t.Errorf("explained: %q\nread:      %q", said, read)
	}
}

// The defaults that it names are the defaults.
func TestKeysDefaults(t *testing.T) {
	t.Parallel()
	text := ""
	for _, k := range Keys {
		if k.Default == "" || strings.HasPrefix(k.Path, "credentials.") {
			continue
		}
		outer, inner, nested := strings.Cut(k.Path, ".")
		if !nested {
			text += fmt.Sprintf("%s: %s\n", outer, k.Default)
			continue
		}
		if !strings.Contains(text, outer+":\n") {
			text += outer + ":\n"
		}
		text += fmt.Sprintf("  %s: %s\n", inner, k.Default)
	}
	got, err := parse("config.yaml", []byte(text))
	if err != nil || !reflect.DeepEqual(got, Default()) {
		t.Errorf("%v, %+v\nwant %+v\nfrom\n%s", err, got, Default(), text)
	}
}

// So are those of sources.
func TestKeysSourceDefaults(t *testing.T) {
	t.Parallel()
	text := func(with bool) string {
		lines := "credentials:\n- name: a\n  source: {command: {argv: [/x]%s}}\n- name: b\n  servers: [{url: \"https://x.example\"%s}]\n  source: {serviceAccount: {namespace: n, name: n%s}}\n"
		said := func(path string) string {
			i := slices.IndexFunc(Keys, func(k Key) bool { return k.Path == "credentials."+path })
			if !with {
				return ""
			}
			return ", " + path[strings.LastIndex(path, ".")+1:] + ": " + Keys[i].Default
		}
		return fmt.Sprintf(lines, said("source.command.timeout"), said("servers.insecureSkipTLSVerify"), said("source.serviceAccount.lifetime"))
	}
	with, err := parse("config.yaml", []byte(text(true)))
	without, err2 := parse("config.yaml", []byte(text(false)))
	if err != nil || err2 != nil || !reflect.DeepEqual(with, without) {
		t.Errorf("%v, %v, %+v\nwant %+v", err, err2, with, without)
	}
}
