package ipctest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/cwagent/cwagent/ipc"
)

// Several tokens at once are what they are one by one.
func addAll(t *testing.T, a ipc.Agent) {
	mustAdd(t, a, request("b", "2"))
	more := request("b", "2")
	more.Servers = []ipc.Server{two}
	rs := []ipc.AddRequest{request("c", "3"), more, request("a", "1")}
	for i := range rs {
		rs[i].DryRun = true
	}
	if _, err := a.AddAll(t.Context(), rs); err != nil {
		t.Fatal(err)
	}
	if got := names(t, a); !slices.Equal(got, []string{"b"}) {
		t.Fatalf("after a dry run: %q", got)
	}
	for i := range rs {
		rs[i].DryRun = false
	}
	replies, err := a.AddAll(t.Context(), rs)
	if err != nil || len(replies) != 3 {
		t.Fatalf("%d replies, %v", len(replies), err)
	}
	for i, want := range []ipc.Outcome{ipc.OutcomeCreated, ipc.OutcomeExtended, ipc.OutcomeCreated} {
		got := replies[i]
		if now := lookup(t, a, rs[i].Name); got.Outcome != want || got.Credential.Name != rs[i].Name || got.Credential.Revision != now.Revision || now.Revision == 0 {
			t.Errorf("%s: %+v, status %+v", rs[i].Name, got, now)
		}
	}
	if got := names(t, a); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("names: %q", got)
	}
	wantToken(t, a, "a", "1")
	wantToken(t, a, "b", "2")
	wantToken(t, a, "c", "3")
	wantServers(t, lookup(t, a, "b"), one, two)
	if !slices.Equal(replies[1].Bound, []ipc.Server{two}) {
		t.Errorf("bound %v", replies[1].Bound)
	}
}

// If one of them cannot be had, nothing is changed.
func addAllOrNone(t *testing.T, a ipc.Agent) {
	before := mustAdd(t, a, request("b", "2")).Credential
	replace, standby := request("b", "3"), request("b", "3")
	replace.Replace, standby.Standby = true, true
	var many []ipc.AddRequest
	for i := range ipc.MaxTogether + 1 {
		many = append(many, request(fmt.Sprint("many-", i), fmt.Sprint(i)))
	}
	extend := request("b", "2")
	extend.Servers = []ipc.Server{two}
	for _, c := range []struct {
		what string
		code ipc.Code
		rs   []ipc.AddRequest
	}{
		{"another token", ipc.CodeExists, []ipc.AddRequest{request("a", "1"), request("b", "3")}},
		{"nonsense", ipc.CodeInvalid, []ipc.AddRequest{request("a", "1"), extend, request("", "3")}},
		{"one name twice", ipc.CodeInvalid, []ipc.AddRequest{request("a", "1"), extend, request("a", "1")}},
		{"a replacement", ipc.CodeInvalid, []ipc.AddRequest{request("a", "1"), replace}},
		{"a standby token", ipc.CodeInvalid, []ipc.AddRequest{request("a", "1"), standby}},
		{"too many", ipc.CodeInvalid, many},
	} {
		_, err := a.AddAll(t.Context(), c.rs)
		t.Log(c.what)
		wantCode(t, err, c.code)
		if got := names(t, a); !slices.Equal(got, []string{"b"}) {
			t.Errorf("%s: names %q", c.what, got)
		}
		if now := lookup(t, a, "b"); now.Revision != before.Revision {
			t.Errorf("%s: it was changed", c.what)
		}
		wantServers(t, lookup(t, a, "b"), one)
	}
	// And then all of it still can.
	if replies, err := a.AddAll(t.Context(), many[1:]); err != nil || len(replies) != ipc.MaxTogether {
		t.Errorf("%d replies, %v", len(replies), err)
	}
}
