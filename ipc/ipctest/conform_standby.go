package ipctest

import (
	"slices"
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// identified is a request whose public id tells which token it is.
func identified(name, token string) ipc.AddRequest {
	r := request(name, token)
	r.ID = publicID(token)
	return r
}

func publicID(token string) string { return "cwtoken-" + token }

// standby is an add of a token for later; with a nil end nobody knows its end.
func standby(name, token string, end *time.Time) ipc.AddRequest {
	r := identified(name, token)
	r.Standby, r.Servers = true, nil
	if end != nil {
		r.Expiry, r.Expires = ipc.ExpiryKnown, end
	}
	return r
}

// wantStandby wants those tokens to wait, in that order.
func wantStandby(t *testing.T, a ipc.Agent, name string, tokens ...string) {
	t.Helper()
	c := lookup(t, a, name)
	ids, labels := []string{}, []string{}
	for _, s := range c.Standby {
		ids, labels = append(ids, s.ID), append(labels, s.Label)
	}
	wantIDs(t, "standby tokens of "+name, ids, tokens)
	wantLabels(t, labels, tokens)
	source := "console"
	if len(tokens) > 0 {
		source = "standby"
	}
	if c.Source != source {
		t.Errorf("source of %s: %q, want %q", name, c.Source, source)
	}
}

func wantIDs(t *testing.T, what string, ids, tokens []string) {
	t.Helper()
	want := []string{}
	for _, token := range tokens {
		want = append(want, publicID(token))
	}
	if !slices.Equal(ids, want) {
		t.Fatalf("%s: %q, want %q", what, ids, want)
	}
}

func addStandby(t *testing.T, a ipc.Agent) {
	before := mustAdd(t, a, identified("prod", "1")).Credential
	wantStandby(t, a, "prod")
	r := standby("prod", "2", instant(2*time.Hour))
	r.Servers, r.NoClusterInfo = []ipc.Server{two}, true // it is good where the name is
	for _, r.DryRun = range []bool{true, false} {
		wantStandby(t, a, "prod")
		if c := lookup(t, a, "prod"); c.Revision != before.Revision {
			t.Error("a dry run gave another revision")
		}
		reply := mustAdd(t, a, r)
		if reply.Outcome != ipc.OutcomeStandby || len(reply.Bound) != 0 || reply.Retired != nil || reply.SameAs != "" {
			t.Errorf("dry run %v: %+v", r.DryRun, reply)
		}
	}
	wantStandby(t, a, "prod", "2")
	wantToken(t, a, "prod", "1")
	wantGiven(t, fetch(t, a, "prod", "v1", one.URL, caOne), "1")
	c := lookup(t, a, "prod")
	wantServers(t, c, one)
	if c.ID != before.ID || c.Expiry != before.Expiry || c.Expires != nil || c.NoClusterInfo || c.State != ipc.StateValid {
		t.Errorf("what is said of the current token has changed: %+v", c)
	}
	if s := c.Standby; len(s) != 1 || s[0].Expiry != ipc.ExpiryKnown || s[0].Expires == nil || !s[0].Expires.Equal(*r.Expires) {
		t.Errorf("standby %+v", s)
	}
	// Forgetting the name as it was before would lose the token that came since.
	if c.Revision == before.Revision {
		t.Error("the revision is the one without the standby token")
	}
	wantRetiring(t, a, "prod")
}

// The token that ends first has its turn first; what is known of an end counts
// from the moment that it is known.
func addStandbyOrder(t *testing.T, a ipc.Agent) {
	mustAdd(t, a, identified("prod", "1"))
	mustAdd(t, a, standby("prod", "open", nil))
	mustAdd(t, a, standby("prod", "late", instant(3*time.Hour)))
	mustAdd(t, a, standby("prod", "early", instant(time.Hour)))
	mustAdd(t, a, standby("prod", "middle", instant(2*time.Hour)))
	wantStandby(t, a, "prod", "early", "middle", "late", "open")

	r := standby("prod", "late", instant(30*time.Minute))
	for _, r.DryRun = range []bool{true, false} {
		wantStandby(t, a, "prod", "early", "middle", "late", "open")
		if reply := mustAdd(t, a, r); reply.Outcome != ipc.OutcomeExtended || reply.Retired != nil {
			t.Errorf("dry run %v: %+v", r.DryRun, reply)
		}
	}
	wantStandby(t, a, "prod", "late", "early", "middle", "open")
	if s := lookup(t, a, "prod").Standby[0]; s.Expiry != ipc.ExpiryKnown || s.Expires == nil || !s.Expires.Equal(*r.Expires) {
		t.Errorf("corrected %+v", s)
	}
	mustAdd(t, a, standby("prod", "open", instant(90*time.Minute)))
	r = standby("prod", "early", nil)
	r.Expiry = ipc.ExpiryNever
	mustAdd(t, a, r)
	wantStandby(t, a, "prod", "late", "open", "middle", "early")
	wantToken(t, a, "prod", "1")
}

func addStandbyRefused(t *testing.T, a ipc.Agent) {
	mustAdd(t, a, identified("prod", "1"))
	both := standby("prod", "2", nil)
	both.Replace = true
	for _, c := range []struct {
		what string
		r    ipc.AddRequest
		code ipc.Code
	}{
		{"a name that is not there", standby("nobody", "2", nil), ipc.CodeNotFound},
		{"now and later", both, ipc.CodeInvalid},
		{"the token that it has", standby("prod", "1", nil), ipc.CodeExists},
	} {
		t.Log(c.what)
		for _, c.r.DryRun = range []bool{true, false} {
			_, err := a.Add(t.Context(), c.r)
			wantCode(t, err, c.code)
		}
	}
	wantNames(t, a, "prod")
	wantStandby(t, a, "prod")
	wantToken(t, a, "prod", "1")
}

// No token is in two places of one credential.
func addMoves(t *testing.T, a ipc.Agent) {
	mustAdd(t, a, identified("prod", "1"))
	mustAdd(t, a, standby("prod", "2", nil))
	mustAdd(t, a, standby("prod", "3", instant(time.Hour)))
	replace := func(token string) {
		t.Helper()
		r := identified("prod", token)
		r.Replace = true
		if reply := mustAdd(t, a, r); reply.Outcome != ipc.OutcomeReplaced {
			t.Errorf("outcome %q", reply.Outcome)
		}
		wantToken(t, a, "prod", token)
	}
	replace("2") // which stood by
	wantStandby(t, a, "prod", "3")
	wantRetiring(t, a, "prod", "1")
	replace("1") // which gave way
	wantStandby(t, a, "prod", "3")
	wantRetiring(t, a, "prod", "2")

	// Whoever has a token stand by has not done with it.
	if reply := mustAdd(t, a, standby("prod", "2", instant(2*time.Hour))); reply.Outcome != ipc.OutcomeStandby {
		t.Errorf("outcome %q", reply.Outcome)
	}
	wantStandby(t, a, "prod", "3", "2")
	wantRetiring(t, a, "prod")
	wantToken(t, a, "prod", "1")
}
