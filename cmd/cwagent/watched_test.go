package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

func TestWatched(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	old, fresh := now.Add(-24*time.Hour), now.Add(-3*time.Minute)
	for _, tt := range []struct {
		name    string
		watched []ipc.Watch
		want    string
	}{
		{"nothing", nil, ""},
		{"nothing to say", []ipc.Watch{
			{Path: "/k", Kind: ipc.WatchKubeconfig, State: ipc.WatchQuiet, At: fresh},
			{Path: "/d", Kind: ipc.WatchFolder, State: ipc.WatchQuiet, Why: "changes are noticed late"},
			{Path: "/a", State: ipc.WatchAbsorbed, At: old, Why: "it is the token of the credential", Credential: "prod"},
		}, ""},
		{"tokens in clear come first", []ipc.Watch{
			{Path: "/a", State: ipc.WatchAbsorbed, User: "me", At: fresh, Why: "it is the token of the credential", Credential: "prod"},
			{Path: "/b", State: ipc.WatchUnreadable, Why: "line 3: no YAML"},
			{Path: "/c", State: ipc.WatchWaiting, User: "me", Why: "the keyring is locked", Credential: "prod"},
			{Path: "/d", State: ipc.WatchFound, User: "a\x1b[m", Why: "nobody\nknows", Hint: "cwagent import /d"},
		}, `
to do, the most urgent first:
/d, user "a\x1b[m": a token in clear is left there: "nobody\nknows"
  cwagent import /d

to know:
/c, user me: a token in clear is still there, tried again by itself: the keyring is locked
/b: not read: line 3: no YAML
/a, user me: a token was taken out for prod, 3m ago: it is the token of the credential
`},
		{"put back", []ipc.Watch{
			{Path: "/a", State: ipc.WatchRestored, User: "me", Why: "it was restored", Hint: "cwagent import /a"},
			{Path: "/a", State: ipc.WatchRestored, User: "y\nou"},
			{Path: "/b", State: ipc.WatchRestored, User: "me"},
			{Path: "/c", State: ipc.WatchUnreadable, Why: "line 3: no YAML"},
			{Path: "/d", State: ipc.WatchMissing},
		}, `
to know:
/c: not read: line 3: no YAML

put back by cwagent restore, and left in clear (cwagent import FILE takes it again):
  /a, user me, "y\nou"
  /b, user me

looked after once there: /d
`},
		{"a new state", []ipc.Watch{{Path: "/a", State: "thought about"}}, "\nto know:\n/a: thought about\n"},
		{"not there", absent(3), "\nlooked after once there: /0, /1, /2\n"},
		{"many not there", absent(5), "\nlooked after once there: /0, /1, /2 and 2 more\n"},
	} {
		if got := tasksText(tt.watched, now); got != tt.want {
			t.Errorf("%s:\n%s", tt.name, got)
		}
	}
	many := absent(7)
	for i := range many {
		many[i].State = ipc.WatchFound
	}
	if s := tasksText(many, now); strings.Count(s, "in clear") != 5 || !strings.HasSuffix(s, "\nand 2 more: cwagent status -o json\n") {
		t.Errorf("many:\n%s", s)
	}
}

// Files that were restored push no news out.
func TestPutBack(t *testing.T) {
	t.Parallel()
	many := absent(7)
	for i := range many {
		many[i].State = ipc.WatchRestored
	}
	many = append(many, ipc.Watch{Path: "/z", State: ipc.WatchFound})
	if s := tasksText(many, time.Now()); !strings.HasPrefix(s, "\nto do, the most urgent first:\n/z: a token in clear") || strings.Count(s, ", user ") != 5 ||
		!strings.HasSuffix(s, "\n  and 2 more: cwagent status -o json\n") {
		t.Errorf("%s", s)
	}
}

// tasksText is what a status says of these files and nothing else.
func tasksText(watched []ipc.Watch, now time.Time) (text string) {
	for _, line := range (view{now: now}).tasks(ipc.Status{Watched: watched}) {
		text += line + "\n"
	}
	return text
}

func absent(n int) (all []ipc.Watch) {
	for i := range n {
		all = append(all, ipc.Watch{Path: fmt.Sprintf("/%d", i), State: ipc.WatchMissing})
	}
	return all
}
