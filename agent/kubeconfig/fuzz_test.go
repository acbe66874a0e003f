package kubeconfig

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cwagent/cwagent/ipc"
)

// FuzzEdit states what holds for any text: it is refused without naming a
// token, or all static tokens are out of it and client-go reads in it what it
// read before, with our users instead of theirs.
func FuzzEdit(f *testing.F) {
	files, _ := filepath.Glob("testdata/*")
	for _, path := range files {
		if text, err := os.ReadFile(path); err == nil {
			f.Add(text)
		}
	}
	for _, user := range []string{
		"- name: token\n  user: &u\n    <<: {token: T!}",
		"- {user: {? token : 'T!'}, name: *a}",
		"- name: 'to''ken'\n  user:\n    \"token\": \"T\\x21!\" # x",
		"-\tname: token\n  user: !!map {!!str token: T!}",
		"- name: ü\u2028\n  user:\n    token: T!\u0085",
	} {
		f.Add([]byte(kubeconfig(user)))
		f.Add([]byte("\ufeff" + strings.ReplaceAll(kubeconfig(user), "\n", "\r\n")))
		f.Add([]byte(strings.ReplaceAll(kubeconfig(user), "\n", "\r")))
	}
	f.Fuzz(lawful)
}

// lawful states what FuzzEdit looks for.
func lawful(t *testing.T, text []byte) {
	file := &File{Path: "config", text: text}
	if err := file.parse(); err != nil {
		showable(t, file, err)
		return
	}
	var changes []Change
	for i, u := range file.Users {
		c := Change{User: i, Exec: Exec{"/usr/bin/cwagent-credential", "prod"}}
		if i%2 == 0 {
			c.NewName = "cw-" + strings.Repeat("x", i)
		}
		if slices.Contains(file.Names, c.NewName) || u.Name == "" {
			return // callers choose a name that is free
		}
		changes = append(changes, c)
	}
	out, err := file.Edit(changes)
	if err != nil {
		showable(t, file, err)
		return
	}
	again := &File{Path: "config", text: out}
	if err := again.parse(); err != nil || len(again.Users) != 0 || len(again.Ours) != len(file.Ours)+len(changes) {
		t.Fatalf("read again: %v, %d users, ours %q\n%s\nbecame\n%s", err, len(again.Users), again.Ours, text, out)
	}
	if len(changes) == 0 && !bytes.Equal(out, text) {
		t.Fatal("something was changed for nothing")
	}
	sameForClientGo(t, file, changes, out)
}

// Kubeconfigs with a few bytes wrong, where it matters to YAML.
func TestEditDamaged(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	const bits = "\n\r\t -:,?&*!|>'\"%@`{}[]#<~\\\x00\x85\xe2\x80\xa8é\ufeff"
	for i := range *samples {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		text := []byte(newSample(r).text())
		for range 1 + r.IntN(3) {
			at := r.IntN(len(text))
			switch r.IntN(3) {
			case 0:
				text[at] = bits[r.IntN(len(bits))]
			case 1:
				text = slices.Insert(text, at, bits[r.IntN(len(bits))])
			case 2:
				text = slices.Delete(text, at, min(at+1+r.IntN(3), len(text)))
			}
		}
		lawful(t, text)
	}
}

// showable wants an error for people, without a token in it.
func showable(t *testing.T, f *File, err error) {
	var e *ipc.Error
	if !errors.As(err, &e) || e.Code != ipc.CodeInvalid {
		t.Fatalf("%v (%T)", err, err)
	}
	for _, u := range f.Users {
		token := u.Token.Reveal()
		shown := e.Text()
		for _, n := range f.Names {
			if n != "" {
				shown = strings.ReplaceAll(shown, n, "") // a name may hold anything
			}
		}
		if len(token) > 12 && strings.Contains(shown, token) {
			t.Fatalf("a token in the error: %s", e.Text())
		}
	}
}

func sameForClientGo(t *testing.T, f *File, changes []Change, out []byte) {
	want, err := load(string(f.text))
	if err != nil {
		return // what kubectl does not read need not be the same for it
	}
	s := sample{changes: map[string]*Change{}}
	for _, c := range changes {
		s.changes[f.Users[c.User].Name] = &c
	}
	if s.expect(want) != nil {
		return // YAML's 1.1 and 1.2 do not agree about a name or a token
	}
	got, err := load(string(out))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("client-go reads something else: %v\n%s\nbecame\n%s", err, f.text, out)
	}
}
