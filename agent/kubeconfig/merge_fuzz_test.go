package kubeconfig

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// FuzzMerge states what holds for any two texts: merging them is refused without
// naming a token, or what comes out is a kubeconfig with the users
// of both.
func FuzzMerge(f *testing.F) {
	files, _ := filepath.Glob("testdata/*")
	var texts [][]byte
	for _, path := range files {
		if text, err := os.ReadFile(path); err == nil {
			texts = append(texts, text)
		}
	}
	texts = append(texts, []byte("kind: Config\nusers: []\ncontexts:\nclusters: ~ # x\n"), []byte("{kind: Config}"), []byte("kind: Config"),
		[]byte("{kind: Config, users: , clusters: [ ], contexts: [], current-context: ''}"), []byte("kind: Config\n...\n# x\n"),
		[]byte("? kind\n: Config\n? users\n:\n? clusters\n: []\n"))
	for _, a := range texts {
		for _, b := range texts {
			f.Add(a, b)
		}
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		into, from := &File{Path: "/h/config", text: a}, &File{Path: "/h/from", text: b}
		if into.parse() != nil || from.parse() != nil {
			return
		}
		out, err := Merge(into, from, func(_, name string) (string, error) { return name + "-from", nil })
		if err != nil {
			showable(t, into, err)
			showable(t, from, err)
			return
		}
		merged, err := into.With(out)
		if err != nil {
			return // a certificate authority that cannot be read, which nobody wanted before
		}
		for _, n := range into.Names {
			if !merged.Has("user", n) {
				t.Fatalf("user %q is gone\n%q and\n%q became\n%q", n, a, b, out)
			}
		}
		if back, _, err := merged.Unmerge(merged.AddedTo(into)); err != nil {
			showable(t, into, err)
		} else if now := back.AddedTo(nil); !kept(into.AddedTo(nil), now) {
			t.Fatalf("%q and\n%q became\n%q and again\n%q", a, b, out, back.text)
		}
		for _, n := range from.Names {
			if !merged.Has("user", n) && !merged.Has("user", n+"-from") {
				t.Fatalf("user %q is not there\n%q and\n%q became\n%q", n, a, b, out)
			}
		}
	})
}

// kept reports whether all that was there still is.
func kept(before, now []Added) bool {
	return !slices.ContainsFunc(before, func(a Added) bool { return !slices.Contains(now, a) })
}
