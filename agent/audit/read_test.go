package audit_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cwagent/cwagent/agent/audit"
)

// What a reader finds when it looks again and again, while somebody writes.
func TestReader(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "audit-h.jsonl")
	r := &audit.Reader{Dir: dir, Host: "h"}
	defer r.Close()
	put := func(text string) {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	line := func(seq int) string { return fmt.Sprintf(`{"seq":%d,"msg":"x"}`+"\n", seq) }
	for i, step := range []struct {
		what string
		do   func()
		want string
	}{
		{"nothing", func() {}, ""},
		{"the oldest that is kept", func() { put(line(5) + line(6)) }, "5 6"},
		{"nothing new", func() {}, ""},
		{"half a line", func() { put(line(7)[:9]) }, ""},
		{"and its end", func() { put(line(7)[9:]) }, "7"},
		{"a gap", func() { put(line(10)) }, "+2 10"},
		{"a line that is none in the place of one", func() { put("{}\n" + line(12)) }, "? 12"},
		{"an agent began", func() { put(line(1) + line(2)) }, "1 2"},
		{"one whose first lines are gone", func() { put(line(2)) }, "+1 2"},
		{"moved away, with half a line", func() {
			put(`{"se`)
			if err := os.Rename(path, filepath.Join(dir, "audit-h-2026-11-24T10-00-00.000.jsonl")); err != nil {
				t.Fatal(err)
			}
			put(line(4))
		}, "? 4"},
		{"cut", func() {
			if err := os.WriteFile(path, []byte(line(1)), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, 5); err != nil {
				t.Fatal(err)
			}
		}, ""},
		{"goes on", func() { put(line(1)[5:]) }, "1"},
		{"removed", func() { os.Remove(path) }, ""},
		{"made again", func() { put(line(2)) }, "2"},
	} {
		step.do()
		var got []string
		err := r.Read(func(i audit.Item) {
			switch {
			case i.Damaged:
				got = append(got, "?")
				return
			case i.Missing > 0:
				got = append(got, fmt.Sprint("+", i.Missing))
			}
			got = append(got, fmt.Sprint(i.Record.Seq))
		})
		if s := strings.Join(got, " "); s != step.want || err != nil {
			t.Errorf("%d, %s: %q, want %q; %v", i, step.what, s, step.want, err)
		}
	}
	if hosts, err := audit.Hosts(dir); err != nil || !slices.Equal(hosts, []string{"h"}) {
		t.Errorf("%q, %v", hosts, err)
	}
}
