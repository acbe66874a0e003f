package agent

import (
	"context"
	"slices"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// Add implements ipc.Agent. The new token has been vouched for, is in the store
// and read back from it, and stands in the ledger, before anything else changes;
// the one that it replaces leaves last.
func (a *Agent) Add(ctx context.Context, r ipc.AddRequest) (ipc.AddReply, error) {
	t, servers, err := a.checkAdd(r)
	if err != nil {
		return ipc.AddReply{}, err
	}
	if old, _ := a.lookup(r.Name); old != nil && old.inStore() {
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
	next.servers = merge(next.servers, servers)
	reply.Bound = beyond(next, old)
	next.noClusterInfo = next.noClusterInfo || r.NoClusterInfo
	next.settle()
	if err := a.acceptable(ctx, next, r); err != nil {
		return ipc.AddReply{}, err
	}
	if !r.DryRun {
		if err := a.install(ctx, old, next, r); err != nil {
			return ipc.AddReply{}, err
		}
	}
	reply.Credential = a.describe(next, a.Now())
	if r.DryRun && old != nil {
		reply.Credential.Revision = old.revision
	}
	return reply, nil
}

// beyond returns the servers of next that old, which may be nil, is not bound to.
func beyond(next, old *credential) []ipc.Server {
	return slices.DeleteFunc(slices.Clone(next.servers), func(s ipc.Server) bool { return old != nil && old.bound(s) })
}

// merge returns what becomes of old with a new token, or with the same one; nil
// where a dry run only has to hear of a credential that holds it.
func (a *Agent) merge(old *credential, r ipc.AddRequest, t token) (*credential, ipc.AddReply, error) {
	reply := ipc.AddReply{SameAs: a.holder(r.Secret, r.Name)}
	switch {
	case old == nil && r.Replace:
		return nil, reply, notFound(r.Name)
	case old == nil:
		reply.Outcome = ipc.OutcomeCreated
		return &credential{name: r.Name, token: t, ephemeral: r.Ephemeral}, reply, nil
	case old.inStore() && !r.Replace:
		_, err := a.usable(old, a.Now())
		return nil, reply, err // what it holds cannot be known now
	case old.token.secret.Equal(r.Secret):
		reply.Outcome = ipc.OutcomeExtended
		next := old.clone()
		next.token.learn(r, t)
		// A kubeconfig may be rewritten on the strength of this answer: memory
		// is enough only where both the old request and this one said so.
		next.ephemeral = old.ephemeral && r.Ephemeral
		return next, reply, nil
	case r.Replace:
		reply.Outcome = ipc.OutcomeReplaced
		next := old.clone()
		next.token, next.saved, next.fellBack = t, false, false
		// Memory was meant for the token of old alone where there is a saved one.
		next.ephemeral = r.Ephemeral || old.ephemeral && len(old.previous) == 0
		return next, reply, nil
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

// learn takes over what is now known about a token that was there before.
func (t *token) learn(r ipc.AddRequest, now token) {
	if t.id == "" {
		t.id = r.ID
	}
	if !now.verified.IsZero() {
		t.identity, t.verified, t.refused = fuller(t.identity, now.identity), now.verified, ""
	}
	if r.Expiry == ipc.ExpiryUnknown {
		return
	}
	t.expiry, t.expires = r.Expiry, now.expires
	if !now.created.IsZero() {
		t.created = now.created
	}
}

// acceptable reports whether the store will do for the token of next.
func (a *Agent) acceptable(ctx context.Context, next *credential, r ipc.AddRequest) error {
	if next.ephemeral {
		return nil
	}
	info := a.Store.Info()
	if !a.Store.Durable() {
		return &ipc.Error{
			Code: ipc.CodeStore,
			What: "store " + info.Kind + ": it forgets its tokens when the agent ends",
			Hint: "--ephemeral accepts that; without it nothing is changed",
		}
	}
	if a.book.Store != "" && a.book.Store != info.Kind {
		return &ipc.Error{
			Code: ipc.CodeStore,
			What: "store " + info.Kind + ": the tokens so far rest in the " + a.book.Store,
			Hint: "the choice is made once: set store: " + a.book.Store + " in the config",
		}
	}
	if !r.AllowPlaintext && !next.saved && plaintext(ctx, a.Store) {
		return &ipc.Error{
			Code: ipc.CodeStore,
			What: "store " + info.Kind + ": it has no password, so its tokens would lie on disk in clear",
			Hint: "give the keyring a password, or accept it with --allow-plaintext-keyring; nothing was changed",
		}
	}
	return nil
}

// install saves the token of next, unless it is saved already or ephemeral,
// makes next the credential of its name, and only then discards the token of old,
// where next is good enough for that.
// Each step is written down before it is taken: a crash between any two leaves a
// credential that works, and what is left over is swept at the next start.
func (a *Agent) install(ctx context.Context, old, next *credential, r ipc.AddRequest) error {
	fresh := old == nil || old.token.key != next.token.key
	stored := !next.ephemeral && !next.saved
	if stored {
		intent := a.page(nil, "")
		intent.orphan(next.token.key)
		if err := a.write(intent); err != nil {
			return err
		}
		if err := save(ctx, a.Store, next.token.key, next.token.secret); err != nil {
			return err
		}
		next.saved = true
	}
	next.succeeds(old, a.Now())
	b := a.page(next, "")
	b.CAs = a.authorities(r.CAs)
	b.prune()
	b.release(old, next)
	if stored {
		b.Store = a.Store.Info().Kind
	}
	if err := a.write(b); err != nil {
		a.discard(ctx) // what has been stored is still among the orphans
		return err
	}
	a.put(next)
	if fresh {
		a.Log.Info("token added", "credential", next.name, "id", next.token.id)
	}
	a.discard(ctx)
	return nil
}

// checkAdd judges a request before anything is touched.
func (a *Agent) checkAdd(r ipc.AddRequest) (token, []ipc.Server, error) {
	now := a.Now()
	t := token{secret: r.Secret, key: newKey(r.Name, r.ID), id: r.ID, added: now, expiry: r.Expiry}
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
