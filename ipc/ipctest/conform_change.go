package ipctest

import (
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

func addCreates(t *testing.T, a ipc.Agent) {
	r := request("prod", "1")
	r.ID, r.Expiry = "cwtoken-abc", ipc.ExpiryKnown
	r.Expires, r.Created = instant(8*time.Hour), instant(-time.Hour)
	reply := mustAdd(t, a, r)
	if reply.Outcome != ipc.OutcomeCreated || reply.SameAs != "" || reply.Credential.Name != "prod" {
		t.Errorf("reply %+v", reply)
	}
	c := lookup(t, a, "prod")
	if c.State != ipc.StateValid || c.ID != r.ID || c.Saved || c.NoClusterInfo || c.Refusal != nil || c.Added.IsZero() {
		t.Errorf("status %+v", c)
	}
	if c.Expiry != ipc.ExpiryKnown || c.Expires == nil || !c.Expires.Equal(*r.Expires) || c.Created == nil || !c.Created.Equal(*r.Created) {
		t.Errorf("times %+v", c)
	}
	wantServers(t, c, one)
	wantToken(t, a, "prod", "1")
}

// The same token again: its credential learns of another server.
func addExtends(t *testing.T, a ipc.Agent) {
	mustAdd(t, a, request("prod", "1"))
	r := request("prod", "1")
	r.Servers, r.NoClusterInfo = []ipc.Server{two, one}, true
	reply := mustAdd(t, a, r)
	if reply.Outcome != ipc.OutcomeExtended {
		t.Errorf("outcome %q", reply.Outcome)
	}
	for _, c := range []ipc.Credential{reply.Credential, lookup(t, a, "prod")} {
		wantServers(t, c, one, two)
		if !c.NoClusterInfo {
			t.Error("the second add's NoClusterInfo is lost")
		}
	}
	r.Servers, r.NoClusterInfo = nil, false
	wantServers(t, mustAdd(t, a, r).Credential, one, two)
	if !lookup(t, a, "prod").NoClusterInfo {
		t.Error("an add took something away")
	}
	wantToken(t, a, "prod", "1")
}

func addExists(t *testing.T, a ipc.Agent) {
	mustAdd(t, a, request("prod", "1"))
	r := request("prod", "2")
	r.Servers = []ipc.Server{two}
	_, err := a.Add(t.Context(), r)
	wantCode(t, err, ipc.CodeExists)
	r.DryRun = true
	_, err = a.Add(t.Context(), r)
	wantCode(t, err, ipc.CodeExists)
	wantToken(t, a, "prod", "1")
	wantServers(t, lookup(t, a, "prod"), one)
}

func addReplaces(t *testing.T, a ipc.Agent) {
	first := request("prod", "1")
	first.ID, first.Expiry, first.Expires = "cwtoken-1", ipc.ExpiryKnown, instant(time.Hour)
	mustAdd(t, a, first)
	r := request("prod", "2")
	r.ID, r.Servers, r.Replace = "cwtoken-2", []ipc.Server{two}, true
	if reply := mustAdd(t, a, r); reply.Outcome != ipc.OutcomeReplaced {
		t.Errorf("outcome %q", reply.Outcome)
	}
	wantToken(t, a, "prod", "2")
	c := lookup(t, a, "prod")
	wantServers(t, c, one, two) // a new token is good where the old one was
	if c.ID != "cwtoken-2" || c.Expiry != ipc.ExpiryUnknown || c.Expires != nil {
		t.Errorf("what was known of the old token is said of the new one: %+v", c)
	}
	wantNames(t, a, "prod")
}

func addReplacesNothing(t *testing.T, a ipc.Agent) {
	r := request("prod", "1")
	r.Replace = true
	_, err := a.Add(t.Context(), r)
	wantCode(t, err, ipc.CodeNotFound)
	wantNames(t, a)
}

func addInvalid(t *testing.T, a ipc.Agent) {
	for what, change := range map[string]func(*ipc.AddRequest){
		"no name":   func(r *ipc.AddRequest) { r.Name = "" },
		"no token":  func(r *ipc.AddRequest) { r.Secret = ipc.Secret{} },
		"no expiry": func(r *ipc.AddRequest) { r.Expiry = "" },
	} {
		r := request("prod", "1")
		change(&r)
		_, err := a.Add(t.Context(), r)
		t.Log(what)
		wantCode(t, err, ipc.CodeInvalid)
	}
	wantNames(t, a)
}

func addDryRun(t *testing.T, a ipc.Agent) {
	r := request("prod", "1")
	r.DryRun = true
	reply := mustAdd(t, a, r)
	if reply.Outcome != ipc.OutcomeCreated || reply.Credential.Name != "prod" {
		t.Errorf("create: %+v", reply)
	}
	wantNames(t, a)

	mustAdd(t, a, request("prod", "1"))
	r.Servers, r.NoClusterInfo = []ipc.Server{two}, true
	if reply := mustAdd(t, a, r); reply.Outcome != ipc.OutcomeExtended {
		t.Errorf("extend: %+v", reply)
	}
	r.Secret, r.Replace = secret("2"), true
	if reply := mustAdd(t, a, r); reply.Outcome != ipc.OutcomeReplaced {
		t.Errorf("replace: %+v", reply)
	}
	wantToken(t, a, "prod", "1")
	c := lookup(t, a, "prod")
	wantServers(t, c, one)
	if c.NoClusterInfo {
		t.Error("a dry run changed NoClusterInfo")
	}
}

// One token under two names is allowed, and said.
func addSameAs(t *testing.T, a ipc.Agent) {
	mustAdd(t, a, request("prod", "1"))
	r := request("again", "1")
	r.DryRun = true
	for range 2 {
		if reply := mustAdd(t, a, r); reply.SameAs != "prod" || reply.Outcome != ipc.OutcomeCreated {
			t.Errorf("reply %+v", reply)
		}
		r.DryRun = false
	}
	if reply := mustAdd(t, a, request("third", "3")); reply.SameAs != "" {
		t.Errorf("another token is the same as that of %q", reply.SameAs)
	}
	wantNames(t, a, "again", "prod", "third")
}

func servers(t *testing.T, a ipc.Agent) {
	mustAdd(t, a, request("prod", "1"))
	ask := func(r ipc.ServersRequest, want ...ipc.Server) ipc.Credential {
		t.Helper()
		r.Name = "prod"
		c, err := a.Servers(t.Context(), r)
		if err != nil {
			t.Fatalf("servers: %v", err)
		}
		wantServers(t, c, want...)
		wantServers(t, lookup(t, a, "prod"), want...)
		return c
	}
	ask(ipc.ServersRequest{}, one)
	wantRefusal(t, fetch(t, a, "prod", "v1", two.URL, nil))
	ask(ipc.ServersRequest{Add: []ipc.Server{two}}, one, two)
	wantGiven(t, fetch(t, a, "prod", "v1", two.URL, nil), "1")
	ask(ipc.ServersRequest{Add: []ipc.Server{two}}, one, two)
	ask(ipc.ServersRequest{Remove: []string{one.URL}}, two)
	wantRefusal(t, fetch(t, a, "prod", "v1", one.URL, caOne))

	_, err := a.Servers(t.Context(), ipc.ServersRequest{Name: "prod", Remove: []string{one.URL}})
	wantCode(t, err, ipc.CodeInvalid)

	for _, on := range []bool{true, false} {
		if c := ask(ipc.ServersRequest{NoClusterInfo: &on}, two); c.NoClusterInfo != on {
			t.Errorf("NoClusterInfo %v, want %v", c.NoClusterInfo, on)
		}
	}
}

func forget(t *testing.T, a ipc.Agent) {
	mustAdd(t, a, request("prod", "1"))
	mustAdd(t, a, request("test", "2"))
	if err := a.Forget(t.Context(), ipc.ForgetRequest{Name: "prod"}); err != nil {
		t.Fatalf("forget: %v", err)
	}
	wantNames(t, a, "test")
	wantRefusal(t, fetch(t, a, "prod", "v1", one.URL, caOne))
	_, err := a.Token(t.Context(), ipc.TokenRequest{Name: "prod"})
	wantCode(t, err, ipc.CodeNotFound)
	wantGiven(t, fetch(t, a, "test", "v1", one.URL, caOne), "2")

	// The name is free for another token.
	if reply := mustAdd(t, a, request("prod", "3")); reply.Outcome != ipc.OutcomeCreated {
		t.Errorf("outcome %q", reply.Outcome)
	}
}

// unknownNames wants the same answer from every operation.
func unknownNames(t *testing.T, a ipc.Agent) {
	mustAdd(t, a, request("prod", "1"))
	ctx := t.Context()
	_, statusErr := a.Status(ctx, ipc.StatusRequest{Name: "nobody"})
	_, tokenErr := a.Token(ctx, ipc.TokenRequest{Name: "nobody"})
	_, keysErr := a.Keys(ctx, ipc.KeysRequest{Name: "nobody"})
	_, verifyErr := a.Verify(ctx, ipc.VerifyRequest{Name: "nobody"})
	_, serversErr := a.Servers(ctx, ipc.ServersRequest{Name: "nobody", Add: []ipc.Server{one}})
	_, rotateErr := a.Rotate(ctx, ipc.RotateRequest{Name: "nobody"})
	_, rollbackErr := a.Rotate(ctx, ipc.RotateRequest{Name: "nobody", Rollback: true})
	for _, err := range []error{statusErr, tokenErr, keysErr, verifyErr, serversErr, rotateErr, rollbackErr, a.Forget(ctx, ipc.ForgetRequest{Name: "nobody"})} {
		wantCode(t, err, ipc.CodeNotFound)
	}
	wantNames(t, a, "prod")
}

// keys wants no keys where nobody gives any, and the token to be given out on.
func keys(t *testing.T, a ipc.Agent) {
	mustAdd(t, a, request("prod", "1"))
	_, err := a.Keys(t.Context(), ipc.KeysRequest{Name: "prod"})
	wantCode(t, err, ipc.CodeSource)
	wantToken(t, a, "prod", "1")
}

// leave wants an agent to stay where a token would be lost, unless that is meant.
func leave(t *testing.T, a ipc.Agent) {
	mustAdd(t, a, request("prod", "1"))
	wantCode(t, a.Leave(t.Context(), ipc.LeaveRequest{}), ipc.CodeStore)
	if err := a.Leave(t.Context(), ipc.LeaveRequest{Stay: true}); err != nil {
		t.Errorf("only save: %v", err)
	}
	wantGiven(t, fetch(t, a, "prod", "v1", one.URL, caOne), "1")
	if err := a.Leave(t.Context(), ipc.LeaveRequest{Force: true}); err != nil {
		t.Errorf("forced: %v", err)
	}
}

// stores wants the one in use first, and no move to where tokens cannot rest.
func stores(t *testing.T, a ipc.Agent) {
	mustAdd(t, a, request("prod", "1"))
	reply, err := a.Stores(t.Context(), ipc.StoresRequest{})
	if err != nil || len(reply.Stores) == 0 || reply.Stores[0].Kind != "memory" || reply.Decided {
		t.Errorf("%+v, %v", reply, err)
	}
	for _, to := range []string{"memory", "", "attic"} {
		_, err := a.Migrate(t.Context(), ipc.MigrateRequest{To: to})
		wantCode(t, err, ipc.CodeInvalid)
	}
}

// lock wants no token to be lost by it, and an agent that is not locked to say so.
func lock(t *testing.T, a ipc.Agent) {
	mustAdd(t, a, request("prod", "1"))
	wantCode(t, a.Lock(t.Context(), ipc.LockRequest{Passphrase: secret("passphrase")}), ipc.CodeStore)
	wantGiven(t, fetch(t, a, "prod", "v1", one.URL, caOne), "1")
	if reply, err := a.Unlock(t.Context(), ipc.UnlockRequest{}); err != nil || reply != (ipc.UnlockReply{}) {
		t.Errorf("%+v, %v", reply, err)
	}
}
