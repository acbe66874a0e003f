package ipctest

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// mustRotate wants a token to take over from another one, and everybody to know
// at once.
func mustRotate(t *testing.T, a ipc.Agent, r ipc.RotateRequest, from, token, gone string) {
	t.Helper()
	before := lookup(t, a, r.Name)
	reply, err := a.Rotate(t.Context(), r)
	if err != nil {
		t.Fatalf("rotate %s: %v", r.Name, err)
	}
	if reply.From != from {
		t.Errorf("token %s comes from %q, want %q", token, reply.From, from)
	}
	if reply.Retired == nil || reply.Retired.ID != publicID(gone) || reply.Retired.Credential != r.Name {
		t.Errorf("token %s took over from %+v, want %s", token, reply.Retired, gone)
	}
	after := lookup(t, a, r.Name)
	for _, c := range []ipc.Credential{reply.Credential, after} {
		if c.Name != r.Name || c.ID != publicID(token) || c.State != ipc.StateValid || c.Revision == before.Revision {
			t.Errorf("rotated to token %s from revision %d: %+v", token, before.Revision, c)
		}
	}
	if reply.Credential.Revision != after.Revision || !slices.Equal(after.Servers, before.Servers) {
		t.Errorf("the reply says %+v, the status %+v", reply.Credential, after)
	}
	wantToken(t, a, r.Name, token)
	wantGiven(t, fetch(t, a, r.Name, "v1", one.URL, caOne), token)
}

// wantNoRotation wants no token to take over, a hint what to do, and everything
// to be as before.
func wantNoRotation(t *testing.T, a ipc.Agent, r ipc.RotateRequest) {
	t.Helper()
	before := lookup(t, a, r.Name)
	_, err := a.Rotate(t.Context(), r)
	wantCode(t, err, ipc.CodeSource)
	if e := err.(*ipc.Error); e.Hint == "" {
		t.Errorf("%q leaves a person alone", e.What)
	}
	after := lookup(t, a, r.Name)
	if after.Revision != before.Revision || after.ID != before.ID || len(after.Standby) != len(before.Standby) || len(after.Retiring) != len(before.Retiring) {
		t.Errorf("it was %+v, and is %+v", before, after)
	}
	wantGiven(t, fetch(t, a, r.Name, "v1", one.URL, caOne), strings.TrimPrefix(after.ID, publicID("")))
}

var (
	next     = ipc.RotateRequest{Name: "prod"}
	rollback = ipc.RotateRequest{Name: "prod", Rollback: true}
)

func rotate(t *testing.T, a ipc.Agent) {
	for _, r := range []ipc.RotateRequest{next, rollback} {
		_, err := a.Rotate(t.Context(), r)
		wantCode(t, err, ipc.CodeNotFound)
	}
	wantNames(t, a)

	mustAdd(t, a, identified("prod", "1"))
	wantNoRotation(t, a, next)
	mustAdd(t, a, standby("prod", "4", nil))
	mustAdd(t, a, standby("prod", "3", instant(2*time.Hour)))
	end := instant(time.Hour)
	mustAdd(t, a, standby("prod", "2", end))

	mustRotate(t, a, next, "standby", "2", "1") // nobody knows how long 1 would have lived
	if c := lookup(t, a, "prod"); c.Expiry != ipc.ExpiryKnown || c.Expires == nil || !c.Expires.Equal(*end) {
		t.Errorf("what is said of the new token: %+v", c)
	}
	wantStandby(t, a, "prod", "3", "4")
	mustRotate(t, a, next, "standby", "3", "2")
	mustRotate(t, a, next, "standby", "4", "3")
	if c := lookup(t, a, "prod"); c.Expiry != ipc.ExpiryUnknown || c.Expires != nil {
		t.Errorf("what was known of the old token is said of the new one: %+v", c)
	}
	wantStandby(t, a, "prod")
	wantRetiring(t, a, "prod", "3", "2", "1")
	wantNoRotation(t, a, next)
}

// A token that ends before the current one is no step forward. It stays: the
// current one may be refused yet.
func rotateOutlives(t *testing.T, a ipc.Agent) {
	r := identified("prod", "1")
	r.Expiry, r.Expires = ipc.ExpiryKnown, instant(2*time.Hour)
	mustAdd(t, a, r)
	mustAdd(t, a, standby("prod", "short", instant(time.Hour)))
	wantNoRotation(t, a, next)
	mustAdd(t, a, standby("prod", "longer", instant(4*time.Hour)))
	mustAdd(t, a, standby("prod", "long", instant(3*time.Hour)))
	mustRotate(t, a, next, "standby", "long", "1")
	mustRotate(t, a, next, "standby", "longer", "long")
	wantNoRotation(t, a, next)
	wantStandby(t, a, "prod", "short")

	r = identified("prod", "open")
	r.Expiry, r.Replace = ipc.ExpiryNever, true
	mustAdd(t, a, r)
	mustRotate(t, a, next, "standby", "short", "open") // somebody asks for it
	wantRetiring(t, a, "prod", "open", "longer", "long", "1")
}

func rotateBack(t *testing.T, a ipc.Agent) {
	first := identified("prod", "1")
	first.Expiry, first.Expires, first.Created = ipc.ExpiryKnown, instant(time.Hour), instant(-time.Hour)
	mustAdd(t, a, first)
	wantNoRotation(t, a, rollback)
	mustAdd(t, a, standby("prod", "2", nil))
	wantNoRotation(t, a, rollback)
	mustRotate(t, a, next, "standby", "2", "1")
	mustAdd(t, a, standby("prod", "later", nil))

	mustRotate(t, a, rollback, "rollback", "1", "2")
	c := lookup(t, a, "prod")
	if c.Expiry != ipc.ExpiryKnown || c.Expires == nil || !c.Expires.Equal(*first.Expires) || c.Created == nil || !c.Created.Equal(*first.Created) {
		t.Errorf("what is known of the token has not come back with it: %+v", c)
	}
	wantRetiring(t, a, "prod", "2")
	for range 2 { // there and back
		mustRotate(t, a, rollback, "rollback", "2", "1")
		wantRetiring(t, a, "prod", "1")
		mustRotate(t, a, rollback, "rollback", "1", "2")
		wantRetiring(t, a, "prod", "2")
	}
	r := identified("prod", "3")
	r.Replace = true
	mustAdd(t, a, r)
	wantRetiring(t, a, "prod", "1", "2")
	mustRotate(t, a, rollback, "rollback", "1", "3")
	wantRetiring(t, a, "prod", "3", "2")
	mustRotate(t, a, rollback, "rollback", "3", "1")
	wantRetiring(t, a, "prod", "1", "2")
	wantStandby(t, a, "prod", "later")
}

// fetchWhileRotated wants whole answers at every moment of a rotation, and none
// from before one that was given already.
func fetchWhileRotated(t *testing.T, a ipc.Agent) {
	mustAdd(t, a, request("prod", "0"))
	const last = 20
	for i := range last {
		mustAdd(t, a, standby("prod", strconv.Itoa(i+1), instant(time.Duration(i+1)*time.Hour)))
	}
	rotate := func(r ipc.RotateRequest) {
		if _, err := a.Rotate(t.Context(), r); err != nil {
			t.Errorf("rotate: %v", err)
		}
	}
	for _, seen := range fetchDuring(t, a, func() {
		for range last {
			rotate(next)
		}
	}) {
		if !slices.IsSorted(seen) || seen[len(seen)-1] != last {
			t.Errorf("tokens %v", seen)
		}
	}
	for _, seen := range fetchDuring(t, a, func() {
		for range last {
			rotate(rollback)
		}
	}) {
		if slices.Min(seen) < last-1 || seen[len(seen)-1] != last {
			t.Errorf("tokens %v while %d and %d take turns", seen, last-1, last)
		}
	}
}
