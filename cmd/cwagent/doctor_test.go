package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A check that does not come to an end keeps neither the others nor the person, and is
// not said to be well.
func TestDoctorBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		never := make(chan struct{})
		defer close(never)
		c := &cli{getenv: func(string) string { return "" }, now: time.Now}
		began := time.Now()
		d := diagnosis{Checks: c.examine(t.Context(), []check{
			{"hangs", "", func(context.Context, *subject) []finding { <-never; return nil }},
			{"well", "", func(context.Context, *subject) []finding { return nil }},
			{"spare", "", func(context.Context, *subject) []finding { return []finding{notHere("no such thing")} }},
		})}
		if took := time.Since(began); took > 2*lookTime || took >= 3*time.Second {
			t.Errorf("it took %v", took)
		}
		var out bytes.Buffer
		d.print(&out, view{})
		want := "not checked: hangs: it did not come to an end within 2.5s\nnot checked: spare: no such thing\nok: well\n"
		if out.String() != want || d.exit() != 1 || d.state() != gradeUnchecked {
			t.Errorf("exit %d:\n%s", d.exit(), out.String())
		}
	})
}

// What is in a file neither steers the terminal nor is a secret shown.
func TestDoctorTidy(t *testing.T) {
	t.Parallel()
	c := &cli{getenv: func(string) string { return "" }, now: time.Now}
	bad := finding{Grade: gradeBroken, Cause: "a\x1b[2Jb", Proof: "CW-SECRET-one", Mend: "m", Command: "c", fix: func(context.Context, mender) error { return nil }}
	d := diagnosis{Checks: c.examine(t.Context(), []check{{"x", "", func(context.Context, *subject) []finding { return []finding{bad} }}})}
	var out bytes.Buffer
	d.print(&out, view{})
	if want := "broken: x: a?[2Jb\n  seen: CW-SECRET-...\n  mend: m: c (--fix does it)\n"; out.String() != want || d.exit() != 2 {
		t.Errorf("exit %d:\n%s", d.exit(), out.String())
	}
}

// The name of a check can be typed, and is its own.
func TestDoctorChecks(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, k := range checks() {
		if seen[k.name] || k.what == "" || k.look == nil || strings.ContainsAny(k.name, " :") {
			t.Errorf("check %q", k.name)
		}
		seen[k.name] = true
	}
}

// A lock that has come since is somebody else's.
func TestDoctorRemoves(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/config.lock"
	write := func() os.FileInfo {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	seen := write()
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	if err := removes(path, seen)(t.Context(), mender{}); err == nil {
		t.Error("another one was removed")
	}
	if err := removes(path, write())(t.Context(), mender{}); err != nil {
		t.Error(err)
	}
}

// On a terminal lines break between words, and a command stands whole. The same about
// several things is said once.
func TestDoctorNarrow(t *testing.T) {
	t.Parallel()
	c := &cli{getenv: func(string) string { return "" }, now: time.Now}
	look := func(seen string) func(context.Context, *subject) []finding {
		return func(context.Context, *subject) []finding {
			return []finding{{Grade: gradeWarning, Cause: "a thing that takes many words to say", Proof: seen, Mend: "do it", Command: "rm /a/long/path /another/one"}}
		}
	}
	d := diagnosis{Checks: c.examine(t.Context(), []check{{"one", "", look("here")}, {"two", "", look("there")}})}
	var out bytes.Buffer
	d.print(&out, view{width: 40})
	want := `warning: one, two: a thing that takes
         many words to say
  seen: here
  seen: there
  mend: do it:
        rm /a/long/path /another/one
`
	if out.String() != want {
		t.Errorf("%s", out.String())
	}
}
