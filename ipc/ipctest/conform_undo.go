package ipctest

import (
	"slices"
	"testing"

	"github.com/cwagent/cwagent/ipc"
)

// What lets a caller undo what it did, and nothing of what others did.

func addBound(t *testing.T, a ipc.Agent) {
	want := func(r ipc.AddRequest, want ...ipc.Server) {
		t.Helper()
		for _, r.DryRun = range []bool{true, false} {
			if got := mustAdd(t, a, r).Bound; !slices.Equal(got, want) {
				t.Errorf("dry run %v: bound %v, want %v", r.DryRun, got, want)
			}
		}
		if got := mustAdd(t, a, r).Bound; len(got) != 0 {
			t.Errorf("again: bound %v", got)
		}
	}
	want(request("prod", "1"), one)
	r := request("prod", "1")
	r.Servers = []ipc.Server{two, one}
	want(r, two)
	r = request("prod", "2")
	r.Replace, r.Servers = true, []ipc.Server{elsewhere, one}
	want(r, elsewhere)
}

func unbind(t *testing.T, a ipc.Agent) {
	r := request("prod", "1")
	loose := ipc.Server{URL: one.URL, Insecure: true}
	r.Servers = []ipc.Server{one, loose, two}
	mustAdd(t, a, r)
	for range 2 { // absent ones are no error
		c, err := a.Servers(t.Context(), ipc.ServersRequest{Name: "prod", Unbind: []ipc.Server{loose, elsewhere}})
		if err != nil {
			t.Fatal(err)
		}
		wantServers(t, c, one, two)
		wantServers(t, lookup(t, a, "prod"), one, two)
	}
	wantGiven(t, fetch(t, a, "prod", "v1", one.URL, caOne), "1")
}

// The revision is another one after each change of what requests get, and only
// then.
func revision(t *testing.T, a ipc.Agent) {
	seen := map[uint64]string{0: "what is not there"}
	changed := func(what string, c ipc.Credential) {
		t.Helper()
		for range 2 { // to ask changes nothing
			if now := lookup(t, a, c.Name); now.Revision != c.Revision {
				t.Errorf("%s: the reply says revision %d, the status %d", what, c.Revision, now.Revision)
			}
			_, _ = a.Servers(t.Context(), ipc.ServersRequest{Name: c.Name})
			fetch(t, a, c.Name, "v1", elsewhere.URL, nil)
			fetch(t, a, c.Name, "v1", one.URL, caOne)
		}
		if was, ok := seen[c.Revision]; ok {
			t.Errorf("%s has the revision of %s", what, was)
		}
		seen[c.Revision] = what
	}
	dry := request("prod", "1")
	dry.DryRun = true
	mustAdd(t, a, dry)
	changed("prod", mustAdd(t, a, request("prod", "1")).Credential)
	changed("test", mustAdd(t, a, request("test", "2")).Credential)
	mustAdd(t, a, dry)
	changed("prod, relied on again", mustAdd(t, a, request("prod", "1")).Credential)
	r := request("prod", "3")
	r.Replace = true
	changed("another token", mustAdd(t, a, r).Credential)
	c, err := a.Servers(t.Context(), ipc.ServersRequest{Name: "prod", Add: []ipc.Server{two}})
	if err != nil {
		t.Fatal(err)
	}
	changed("another server", c)
}

func forgetIfRevision(t *testing.T, a ipc.Agent) {
	old := mustAdd(t, a, request("prod", "1")).Credential.Revision
	r := request("prod", "1")
	r.Servers = []ipc.Server{two}
	now := mustAdd(t, a, r).Credential.Revision
	wantCode(t, a.Forget(t.Context(), ipc.ForgetRequest{Name: "prod", IfRevision: old}), ipc.CodeChanged)
	wantToken(t, a, "prod", "1")
	wantServers(t, lookup(t, a, "prod"), one, two)
	wantCode(t, a.Forget(t.Context(), ipc.ForgetRequest{Name: "nobody", IfRevision: old}), ipc.CodeNotFound)
	if err := a.Forget(t.Context(), ipc.ForgetRequest{Name: "prod", IfRevision: now}); err != nil {
		t.Error(err)
	}
	wantNames(t, a)
}
