package agent

import (
	"context"
	"slices"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// Add implements ipc.Agent. A new token has been vouched for, is in the store and
// read back from it, and stands in the ledger, before anything else changes: a
// kubeconfig may be rewritten on the strength of the answer. One that replaces
// another only has to be vouched for: it is served, and saved as soon as the store
// takes it.
func (a *Agent) Add(ctx context.Context, r ipc.AddRequest) (ipc.AddReply, error) {
	t, servers, err := a.checkAdd(r)
	if err != nil {
		return ipc.AddReply{}, err
	}
	if old, _ := a.lookup(r.Name); old != nil && old.token.inStore() {
		a.await(ctx, old) // what it holds decides what this request means
	}
	// Before the turn to change is taken: this asks the network.
	owner, _ := a.lookup(r.Name)
	why, err := a.vouch(ctx, r, &t, servers, owner)
	if err != nil {
		return ipc.AddReply{}, err
	}
	done, err := a.changing(ctx)
	if err != nil {
		return ipc.AddReply{}, err
	}
	defer done()

	old, _ := a.lookup(r.Name)
	next, reply, err := a.merge(old, r, t)
	if err != nil || next == nil {
		return reply, err
	}
	if err := sameOwner(r, old, t, why); err != nil {
		return ipc.AddReply{}, err
	}
	if !r.Standby { // its servers are those of the token whose turn it is
		next.servers = merge(next.servers, servers)
		next.noClusterInfo = next.noClusterInfo || r.NoClusterInfo
	}
	reply.Bound = beyond(next, old)
	next.settle()
	if err := a.fits(ctx, next, r.AllowPlaintext); err != nil {
		return ipc.AddReply{}, err
	}
	if !r.DryRun {
		if next, err = a.install(ctx, next, r, reply.Outcome); err != nil {
			return ipc.AddReply{}, err
		}
	}
	reply.Credential = a.describe(next, a.Now())
	if r.DryRun && old != nil {
		reply.Credential.Revision = old.revision
	}
	if reply.Outcome == ipc.OutcomeReplaced && len(next.previous) > 0 && next.previous[0].key == old.token.key {
		gone := next.retiring(next.previous[0])
		reply.Retired = &gone
	}
	return reply, nil
}

// beyond returns the servers of next that old, which may be nil, is not bound to.
func beyond(next, old *credential) []ipc.Server {
	had := map[ipc.Server]bool{}
	if old != nil {
		for _, s := range old.bindings() {
			had[s] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(next.servers), func(s ipc.Server) bool { return had[s] })
}

// merge returns what becomes of old with a new token, or with the same one; nil
// where a dry run only has to hear of a credential that holds it.
func (a *Agent) merge(old *credential, r ipc.AddRequest, t token) (*credential, ipc.AddReply, error) {
	reply := ipc.AddReply{SameAs: a.holder(r.Secret, r.Name)}
	switch {
	case old == nil && (r.Replace || r.Standby):
		return nil, reply, notFound(r.Name)
	case old == nil:
		reply.Outcome = ipc.OutcomeCreated
		return &credential{name: r.Name, token: t, setting: a.settingOf(r.Name), vigil: &vigil{}}, reply, nil
	case old.token.inStore() && !r.Replace:
		_, err := a.usable(old, a.Now())
		return nil, reply, err // what it holds cannot be known now
	case r.Standby:
		return a.mergeStandby(old, r, t, reply)
	case old.blank():
		reply.Outcome = ipc.OutcomeCreated
		next := old.clone()
		next.token, next.renewal = t, renewal{}
		return next, reply, nil
	case old.token.secret.Equal(r.Secret):
		reply.Outcome = ipc.OutcomeExtended
		next := old.clone()
		if a.idOfAnother(r.ID, old.token) {
			r.ID = "" // a file that has it in its name was written again since
		}
		next.token.learn(r, t)
		return next, reply, nil
	case r.Replace:
		reply.Outcome = ipc.OutcomeReplaced
		return old.promote(t, a.Now()), reply, nil
	case r.DryRun && reply.SameAs != "":
		return nil, reply, nil
	}
	holds := "holds another token"
	if old.token.secret.Empty() {
		holds = "has no token"
	}
	return nil, reply, &ipc.Error{
		Code: ipc.CodeExists,
		What: "credential " + quote(r.Name) + ": it exists and " + holds,
		Hint: "take another name, or replace its token: cwagent add " + r.Name + " --replace",
	}
}

// holder returns the name of a credential other than name that holds s.
func (a *Agent) holder(s ipc.Secret, name string) string {
	a.mu.RLock()
	defer a.mu.RUnlock()
	for _, c := range a.creds {
		if c.name != name && c.token.secret.Equal(s) {
			return c.name
		}
	}
	return ""
}

// idOfAnother reports whether id is the public id of another token than t that some
// credential has or had.
func (a *Agent) idOfAnother(id string, t token) bool {
	other := func(o token) bool { return id != "" && o.id == id && o.key != t.key }
	a.mu.RLock()
	defer a.mu.RUnlock()
	for _, c := range a.creds {
		if other(c.token) || slices.ContainsFunc(c.standby, other) || slices.ContainsFunc(c.previous, other) {
			return true
		}
	}
	return false
}

// learn takes over what is now known about a token that was there before.
func (t *token) learn(r ipc.AddRequest, now token) {
	// A kubeconfig may be rewritten on the strength of this answer: memory is
	// enough only where both the old request and this one said so, or where a
	// replacement was meant, which turned out to be none.
	t.brief = t.brief && (now.brief || r.Replace)
	if t.id == "" {
		t.id = r.ID
	}
	if !now.verified.IsZero() {
		t.identity, t.verified, t.refused = fuller(t.identity, now.identity), now.verified, ""
	}
	if r.Expiry == ipc.ExpiryUnknown || r.Replace {
		return // what was said of a replacement is not true of this one
	}
	t.expiry, t.expires = r.Expiry, now.expires
	if !now.created.IsZero() {
		t.created = now.created
	}
}

// install makes next, which has what r asks for, the credential of its name.
func (a *Agent) install(ctx context.Context, next *credential, r ipc.AddRequest, o ipc.Outcome) (*credential, error) {
	a.learn(r.CAs)
	if o == ipc.OutcomeReplaced {
		a.put(next)
		a.Log.Info("token replaced", "credential", next.name, "id", next.token.id)
		a.silent.Store(nil) // somebody waits: it is worth another look at the store
		return a.keep(ctx, next, r.AllowPlaintext), nil
	}
	saved, err := a.persist(ctx, next)
	if err != nil {
		a.discard(ctx) // what has been stored is still among the orphans
		return nil, err
	}
	a.Log.Info("token added", "credential", next.name, "id", r.ID, "outcome", o)
	a.discard(ctx)
	return saved, nil
}

// checkAdd judges a request before anything is touched.
func (a *Agent) checkAdd(r ipc.AddRequest) (token, []ipc.Server, error) {
	now := a.Now()
	t := token{
		secret: r.Secret, key: newKey(r.Name, r.ID), api: IsAPIToken(r.Secret), id: r.ID, added: now, expiry: r.Expiry,
		brief: r.Ephemeral,
	}
	if r.Created != nil {
		t.created = *r.Created
	}
	if r.Expires != nil && r.Expiry == ipc.ExpiryKnown {
		t.expires = *r.Expires
	}
	servers, err := canonicalAll(r.Servers)
	if err == nil {
		err = CheckName(r.Name)
	}
	if err == nil {
		err = CheckToken(r.Secret)
	}
	if err == nil {
		err = checkExpiry(now, r)
	}
	if err == nil && r.Standby && r.Replace {
		err = invalid("add: a token either waits in standby or replaces the current one", "one of --standby and --replace")
	}
	return t, servers, err
}

func checkExpiry(now time.Time, r ipc.AddRequest) error {
	switch r.Expiry {
	case ipc.ExpiryUnknown, ipc.ExpiryNever:
		return nil
	case ipc.ExpiryKnown:
		if r.Expires == nil {
			return invalid("expiry: said to be known, but missing", "--expires 8h, 30d, 2026-12-31, never or unknown")
		}
		if r.Expires.Sub(now) < useless {
			return invalid("expiry: "+instant(*r.Expires)+" has passed", "a token that is dead already is not worth keeping")
		}
		return nil
	}
	return invalid("expiry "+quote(string(r.Expiry))+": not understood", "known, unknown or never")
}
