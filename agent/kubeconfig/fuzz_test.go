package kubeconfig

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

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
		c := Change{User: i, Exec: Exec{"/usr/bin/cwagent-credential", fmt.Sprintf("prod-%d", i)}}
		if i%2 == 0 {
			c.NewName = "cw-" + strings.Repeat("x", i)
		}
		if slices.Contains(file.Names, c.NewName) || u.Name == "" {
			return // callers choose a name that is free
		}
		changes = append(changes, c)
	}
	out, undo, err := file.Edit(changes)
	if err != nil {
		showable(t, file, err)
		return
	}
	lawfulBack(t, file, out, undo)
	again := &File{Path: "config", text: out}
	if err := again.parse(); err != nil || len(again.Users) != 0 || len(again.Ours) != len(file.Ours)+len(changes) {
		t.Fatalf("read again: %v, %d users, ours %q\n%s\nbecame\n%s", err, len(again.Users), again.Ours, text, out)
	}
	if len(changes) == 0 && !bytes.Equal(out, text) {
		t.Fatal("something was changed for nothing")
	}
	sameForClientGo(t, file, changes, out)
}

// lawfulBack restores what Edit made: every byte is as before.
func lawfulBack(t *testing.T, file *File, out []byte, undo []Undo) {
	again := &File{Path: "config", text: out}
	if err := again.parse(); err != nil || len(file.Ours) > 0 {
		return // said elsewhere, or something else is restored as well
	}
	n := 0
	back, users, err := again.Restore(undo, func(c string) (ipc.Secret, error) {
		_, err := fmt.Sscanf(c, "prod-%d", &n)
		return file.Users[n].Token, err
	})
	if err != nil || !bytes.Equal(back, file.text) {
		t.Fatalf("not restored: %v\n%q\nbecame\n%q\nand\n%q", err, file.text, out, back)
	}
	for _, u := range users {
		if !u.Exact {
			t.Fatalf("restored, but it is not known: %+v", u)
		}
	}
}

// FuzzRestore states what holds for any text with users of ours in it: it is
// refused, or they have the token and nothing else has changed for client-go.
func FuzzRestore(f *testing.F) {
	files, _ := filepath.Glob("testdata/golden/*")
	for _, path := range files {
		if text, err := os.ReadFile(path); err == nil {
			f.Add(text, "CW-SECRET-1")
		}
	}
	for _, exec := range []string{
		"{command: /b/cwagent-credential, args: [prod]} # x",
		"{command: '/b/cwagent-credential', # }\n      args: [ \"prod\" ]}",
		"# x\n      command: /b/cwagent-credential\n      args:\n      - prod\n\n      # y\n      env:\n      - {name: a, value: \"}\"}\n    # z\n    as: me",
		"\n      installHint: |\n        # a\n       b\n      command: /b/cwagent-credential\n      args: [prod]\n      x: >-\n        a\n\n         b",
		"!!map\n      command: &c /b/cwagent-credential\n      args: [prod]",
	} {
		f.Add([]byte(kubeconfig("- name: token\n  user:\n    exec: "+exec)), "a'b: \"c\"")
	}
	f.Fuzz(func(t *testing.T, text []byte, token string) {
		file := &File{Path: "config", text: text}
		if file.parse() != nil || token == "" || !utf8.ValidString(token) {
			return
		}
		out, users, err := file.Restore(nil, func(string) (ipc.Secret, error) { return ipc.NewSecret(token), nil })
		if err != nil {
			showable(t, file, err)
			return
		}
		again := &File{Path: "config", text: out}
		err = again.parse()
		if err != nil && strings.Contains(err.Error(), "certificate-authority") {
			return // of the cluster, which was of no interest before
		}
		if err != nil || len(again.Ours) != 0 || len(again.Users) != len(file.Users)+len(users) || len(users) != len(file.Ours) {
			t.Fatalf("read again: %v, %d restored of %q, now %q\n%s\nbecame\n%s", err, len(users), file.Ours, again.Ours, text, out)
		}
		want, err := load(string(text))
		if err != nil {
			return
		}
		for _, u := range users {
			auth := want.AuthInfos[u.From]
			if auth == nil || auth.Exec == nil || auth.Token != "" {
				return // the same name twice, or something that YAML 1.1 takes for another
			}
			auth.Token, auth.Exec = token, nil
		}
		if got, err := load(string(out)); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("client-go reads something else: %v\n%s\nbecame\n%s", err, text, out)
		}
	})
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
