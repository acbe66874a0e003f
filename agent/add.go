package agent

import (
	"context"
	"errors"
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
	a.catchUp(ctx)
	x, err := a.prepare(ctx, r)
	if err != nil {
		return ipc.AddReply{}, err
	}
	done, err := a.changing(ctx)
	if err != nil {
		return ipc.AddReply{}, err
	}
	defer done()
	if err := a.judge(ctx, x, a.inClear(ctx)); err != nil {
		return ipc.AddReply{}, err
	}
	if x.next != nil && !r.DryRun {
		if err := a.install(ctx, x); err != nil {
			return ipc.AddReply{}, err
		}
	}
	return a.added(x), nil
}

// An addition is an Add on its way.
type addition struct {
	request ipc.AddRequest
	token   token
	servers []ipc.Server // canonical
	why     string       // what there is to say of a good answer about the token
	saw     string       // key of the current token of that name, when nobody had been asked yet

	old   *credential // of that name, or nil
	next  *credential // what becomes of it; nil where there is only something to say
	reply ipc.AddReply

	former *ipc.Retiring // what a dry run has to say of a token that gave way
}

// prepare does what is done before the turn to change is taken: it may ask the
// network.
func (a *Agent) prepare(ctx context.Context, r ipc.AddRequest) (*addition, error) {
	t, servers, err := a.checkAdd(r)
	if err != nil {
		return nil, err
	}
	if old, _ := a.lookup(r.Name); old != nil && old.token.inStore() {
		a.await(ctx, old) // what it holds decides what this request means
	}
	x := &addition{request: r, token: t, servers: servers}
	owner, _ := a.lookup(r.Name)
	if owner != nil {
		x.saw = owner.token.key
	}
	if r.DryRun {
		x.former = a.formerly(ctx, r, servers)
	}
	x.why, err = a.vouch(ctx, r, &x.token, servers, owner)
	return x, err
}

// judge says what would become of the credential. The caller is the one who may
// change.
func (a *Agent) judge(ctx context.Context, x *addition, inClear func() bool) (err error) {
	r := x.request
	x.old, _ = a.lookup(r.Name)
	if x.old != nil && x.old.token.inStore() && x.old.token.key != x.saw { // another agent has put it there just now
		a.read(ctx, item{r.Name, x.old.token.key})
		x.old, _ = a.lookup(r.Name)
	}
	x.next, x.reply, err = a.merge(x.old, r, x.token)
	x.reply.Former = x.former
	if taken := (*ipc.Error)(nil); x.former != nil && errors.As(err, &taken) && taken.Code == ipc.CodeExists {
		return nil // whoever hears of that one needs no name
	}
	if err != nil || x.next == nil {
		return err
	}
	if err := sameOwner(r, x.old, x.token, x.why); err != nil {
		return err
	}
	if !r.Standby { // its servers are those of the token whose turn it is
		x.next.servers = merge(x.next.servers, x.servers)
		x.next.noClusterInfo = x.next.noClusterInfo || r.NoClusterInfo
	}
	x.reply.Bound = beyond(x.next, x.old)
	x.next.settle()
	return a.fits(ctx, x.next, r.AllowPlaintext, inClear)
}

// added says what has become of an addition, or would.
func (a *Agent) added(x *addition) ipc.AddReply {
	if x.next == nil {
		return x.reply
	}
	x.reply.Credential = a.describe(x.next, a.Now())
	if x.request.DryRun && x.old != nil {
		x.reply.Credential.Revision = x.old.revision
	}
	if x.reply.Outcome == ipc.OutcomeReplaced && len(x.next.previous) > 0 && x.next.previous[0].key == x.old.token.key {
		gone := x.next.retiring(x.next.previous[0])
		x.reply.Retired = &gone
	}
	return x.reply
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
		return &credential{name: r.Name, token: t, setting: a.settingOf(r.Name), vigil: &vigil{}, bunch: &bunch{}}, reply, nil
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

// install makes what the additions ask for the credentials of their names, all of
// them or none; a replacement is alone.
func (a *Agent) install(ctx context.Context, all ...*addition) error {
	var creds []**credential
	for _, x := range all {
		a.learn(x.request.CAs)
		if x.reply.Outcome == ipc.OutcomeReplaced {
			a.put(x.next)
			a.rotations.add(fromPerson, "")
			a.Log.InfoContext(ctx, "token replaced", "credential", x.next.name, "id", x.next.token.id)
			a.note(&a.silent, nil) // somebody waits: it is worth another look at the store
			x.next = a.keep(ctx, x.next, x.request.AllowPlaintext)
			return nil
		}
		creds = append(creds, &x.next)
	}
	err := a.persist(ctx, creds...)
	for _, x := range all {
		if err == nil {
			a.Log.InfoContext(ctx, "token added", "credential", x.next.name, "id", x.request.ID, "outcome", x.reply.Outcome)
		}
	}
	a.discard(ctx) // what has been stored in vain is still among the orphans
	return err
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
