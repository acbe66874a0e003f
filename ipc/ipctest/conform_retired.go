package ipctest

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// foreign is a token of another vendor: what begins as CoreWeave's do is in it,
// but not where it begins.
func foreign(s string) ipc.Secret { return ipc.NewSecret("ey." + marker + "-" + s) }

// retired returns the list, without the token that is done.
func retired(t *testing.T, a ipc.Agent, done string) []ipc.Retiring {
	t.Helper()
	reply, err := a.Retired(t.Context(), ipc.RetiredRequest{Done: done})
	if err != nil {
		t.Fatalf("retired %q: %v", done, err)
	}
	return reply.Tokens
}

// wantRetiring wants those tokens to have given way, the newest first, in the
// list as in the status.
func wantRetiring(t *testing.T, a ipc.Agent, name string, tokens ...string) {
	t.Helper()
	list := lookup(t, a, name).Retiring
	of := slices.DeleteFunc(retired(t, a, ""), func(r ipc.Retiring) bool { return r.Credential != name })
	if len(list)+len(of) > 0 && !reflect.DeepEqual(list, of) {
		t.Errorf("retiring of %s in the status: %+v, in the list: %+v", name, list, of)
	}
	ids, labels := []string{}, []string{}
	for _, r := range of {
		ids, labels = append(ids, r.ID), append(labels, r.Label)
		if !r.Kept || r.Since.IsZero() || r.Since.After(time.Now()) {
			t.Errorf("retiring %+v", r)
		}
	}
	wantIDs(t, "retiring tokens of "+name, ids, tokens)
	wantLabels(t, labels, tokens)
}

// wantLabels wants labels that tell the tokens apart and show no part of them.
func wantLabels(t *testing.T, labels, tokens []string) {
	t.Helper()
	for i, l := range labels {
		if len(l) < 5 || l[0] != '#' || slices.Contains(labels[:i], l) {
			t.Errorf("label %q of %q", l, labels)
		}
		for _, token := range tokens {
			if strings.Contains(secret(token).Reveal(), strings.TrimPrefix(l, "#")) {
				t.Errorf("label %q is a part of token %s", l, token)
			}
		}
	}
}

// Whoever replaces a token is told which one gave way.
func addRetires(t *testing.T, a ipc.Agent) {
	r := identified("prod", "1")
	r.Expiry, r.Expires = ipc.ExpiryKnown, instant(time.Hour)
	for _, outcome := range []ipc.Outcome{ipc.OutcomeCreated, ipc.OutcomeExtended} {
		if reply := mustAdd(t, a, r); reply.Outcome != outcome || reply.Retired != nil {
			t.Errorf("%+v, want %s", reply, outcome)
		}
	}
	r.Replace = true
	if reply := mustAdd(t, a, r); reply.Outcome != ipc.OutcomeExtended || reply.Retired != nil {
		t.Errorf("replaced by itself: %+v", reply)
	}
	end := *r.Expires
	r = identified("prod", "2")
	r.Replace, r.DryRun = true, true
	mustAdd(t, a, r)
	wantRetiring(t, a, "prod")

	before := time.Now().Add(-time.Second) // an agent may cut it to the second
	r.DryRun = false
	gone := mustAdd(t, a, r).Retired
	if gone == nil {
		t.Fatal("it does not say which token gave way")
	}
	if gone.Credential != "prod" || gone.ID != publicID("1") || !gone.Kept || !gone.Delete || gone.Since.Before(before) || gone.Since.After(time.Now()) ||
		gone.Expiry != ipc.ExpiryKnown || gone.Expires == nil || !gone.Expires.Equal(end) {
		t.Errorf("gave way: %+v", gone)
	}
	wantRetiring(t, a, "prod", "1")
	if listed := retired(t, a, "")[0]; listed.Label != gone.Label || !listed.Since.Equal(gone.Since) {
		t.Errorf("the reply says %+v, the list %+v", gone, listed)
	}
}

// A token that gave way is told by a dry run, for servers that are bound already.
func addFormer(t *testing.T, a ipc.Agent) {
	mustAdd(t, a, identified("prod", "1"))
	r := identified("prod", "2")
	r.Replace = true
	gone := mustAdd(t, a, r).Retired
	former := func(name, token string, dryRun bool, servers ...ipc.Server) *ipc.Retiring {
		r := identified(name, token)
		r.ID, r.DryRun, r.Servers = "", dryRun, servers
		return mustAdd(t, a, r).Former
	}
	for _, name := range []string{"other", "prod"} {
		if got := former(name, "1", true, one); got == nil || got.Credential != "prod" || got.Label != gone.Label {
			t.Errorf("%s: %+v, want %+v", name, got, gone)
		}
	}
	if got := former("other", "1", true, one, two); got != nil {
		t.Errorf("for a server that is not bound: %+v", got)
	}
	if got := former("other", "2", true, one); got != nil {
		t.Errorf("the current one: %+v", got)
	}
	if got := former("other", "1", false, one); got != nil {
		t.Errorf("no dry run: %+v", got)
	}
	if got := former("third", "1", true, one); got != nil {
		t.Errorf("another credential has it now: %+v", got)
	}
}

// Only CoreWeave's tokens live on until they are deleted in its Console.
func retiredForeign(t *testing.T, a ipc.Agent) {
	r := identified("other", "1")
	r.Secret = foreign("1")
	mustAdd(t, a, r)
	r = identified("other", "2")
	r.Replace = true
	if gone := mustAdd(t, a, r).Retired; gone == nil || gone.Delete {
		t.Errorf("another vendor's token gave way: %+v", gone)
	}
	wantRetiring(t, a, "other", "1")
	reply, err := a.Rotate(t.Context(), ipc.RotateRequest{Name: "other", Rollback: true})
	if err != nil || reply.Retired == nil || !reply.Retired.Delete {
		t.Errorf("CoreWeave's token gave way: %+v, %v", reply, err)
	}
	if list := retired(t, a, ""); len(list) != 1 || !list[0].Delete || list[0].ID != publicID("2") {
		t.Errorf("list %+v", list)
	}
}

func retiredDone(t *testing.T, a ipc.Agent) {
	if list := retired(t, a, ""); len(list) != 0 {
		t.Errorf("list of nothing: %+v", list)
	}
	for _, name := range []string{"prod", "b", "a"} {
		mustAdd(t, a, identified(name, name+"1"))
		for _, n := range []string{"2", "3", "4"} {
			r := identified(name, name+n)
			if r.Replace = true; name == "b" {
				r.ID = ""
			}
			mustAdd(t, a, r)
		}
	}
	mustAdd(t, a, standby("prod", "later", nil))
	ids := []string{}
	for _, r := range retired(t, a, "") {
		ids = append(ids, r.Credential+" "+r.ID)
	}
	if want := []string{
		"a cwtoken-a3", "a cwtoken-a2", "a cwtoken-a1", "b ", "b ", "b cwtoken-b1", "prod cwtoken-prod3", "prod cwtoken-prod2", "prod cwtoken-prod1",
	}; !slices.Equal(ids, want) {
		t.Fatalf("list %q, want %q", ids, want)
	}

	// What is not in the list cannot be taken from it, whatever else it is.
	for _, done := range []string{"cwtoken-nobody", "#00000000", "#", "prod", publicID("prod4"), publicID("later")} {
		_, err := a.Retired(t.Context(), ipc.RetiredRequest{Done: done})
		wantCode(t, err, ipc.CodeNotFound)
	}
	b := lookup(t, a, "b").Retiring
	if len(b) != 3 {
		t.Fatalf("retiring of b: %+v", b)
	}
	if left := retired(t, a, b[1].Label); len(left) != len(ids)-1 {
		t.Errorf("%d tokens left of %d", len(left), len(ids))
	}
	if now := lookup(t, a, "b").Retiring; !reflect.DeepEqual(now, []ipc.Retiring{b[0], b[2]}) {
		t.Errorf("left %+v of %+v", now, b)
	}
	_, err := a.Retired(t.Context(), ipc.RetiredRequest{Done: b[1].Label})
	wantCode(t, err, ipc.CodeNotFound)

	// A token that was deleted elsewhere is nothing to go back to.
	retired(t, a, publicID("prod3"))
	wantRetiring(t, a, "prod", "prod2", "prod1")
	mustRotate(t, a, rollback, "rollback", "prod2", "prod4")
	wantRetiring(t, a, "prod", "prod4", "prod1")
	retired(t, a, publicID("prod1"))
	retired(t, a, publicID("prod4"))
	wantNoRotation(t, a, rollback)
	wantStandby(t, a, "prod", "later")
	wantToken(t, a, "b", "b4")
	wantRetiring(t, a, "a", "a3", "a2", "a1")
}

// A token that two names had is deleted once.
func retiredDoneTwice(t *testing.T, a ipc.Agent) {
	for _, name := range []string{"prod", "again"} {
		mustAdd(t, a, identified(name, "1"))
		r := identified(name, "2")
		r.Replace = true
		mustAdd(t, a, r)
	}
	wantRetiring(t, a, "again", "1")
	if left := retired(t, a, publicID("1")); len(left) != 0 {
		t.Errorf("left %+v", left)
	}
	wantRetiring(t, a, "prod")
	wantRetiring(t, a, "again")
}

func forgetRotated(t *testing.T, a ipc.Agent) {
	for _, name := range []string{"prod", "test"} {
		mustAdd(t, a, identified(name, name+"1"))
		mustAdd(t, a, standby(name, name+"2", nil))
		mustAdd(t, a, standby(name, name+"3", nil))
		if _, err := a.Rotate(t.Context(), ipc.RotateRequest{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Forget(t.Context(), ipc.ForgetRequest{Name: "prod"}); err != nil {
		t.Fatal(err)
	}
	for _, r := range []ipc.RotateRequest{next, rollback} {
		_, err := a.Rotate(t.Context(), r)
		wantCode(t, err, ipc.CodeNotFound)
	}
	_, err := a.Retired(t.Context(), ipc.RetiredRequest{Done: publicID("prod1")})
	wantCode(t, err, ipc.CodeNotFound)

	// A name that comes again has nothing of the one before.
	mustAdd(t, a, identified("prod", "4"))
	wantStandby(t, a, "prod")
	wantRetiring(t, a, "prod")
	wantNoRotation(t, a, next)
	wantNoRotation(t, a, rollback)
	wantRetiring(t, a, "test", "test1")
}
