package agent

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// Add implements ipc.Agent. The new token is in the store, and read back from
// it, before anything else changes; the one that it replaces leaves last.
func (a *Agent) Add(ctx context.Context, r ipc.AddRequest) (ipc.AddReply, error) {
	t, servers, err := a.checkAdd(r)
	if err != nil {
		return ipc.AddReply{}, err
	}
	done, err := a.changing(ctx)
	if err != nil {
		return ipc.AddReply{}, err
	}
	defer done()

	reply := ipc.AddReply{SameAs: a.holder(r.Secret, r.Name)}
	old, _ := a.lookup(r.Name)
	var next *credential
	switch {
	case old == nil && r.Replace:
		return reply, notFound(r.Name)
	case old == nil:
		reply.Outcome = ipc.OutcomeCreated
		next = &credential{name: r.Name, token: t, ephemeral: r.Ephemeral}
	case old.token.secret.Equal(r.Secret):
		reply.Outcome = ipc.OutcomeExtended
		next = old.clone()
		next.token.learn(r)
	case r.Replace:
		reply.Outcome = ipc.OutcomeReplaced
		next = old.clone()
		next.token = t
	case r.DryRun && reply.SameAs != "":
		return reply, nil
	default:
		return reply, &ipc.Error{
			Code: ipc.CodeExists,
			What: "credential " + quote(r.Name) + ": it exists and holds another token",
			Hint: "take another name, or replace its token: cwagent add " + r.Name + " --replace",
		}
	}
	next.servers = merge(next.servers, servers)
	next.noClusterInfo = next.noClusterInfo || r.NoClusterInfo
	if err := a.install(ctx, old, next, r.DryRun); err != nil {
		return ipc.AddReply{}, err
	}
	reply.Credential = next.status(a.Now())
	return reply, nil
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

// learn takes over what a person now knows about the end of a token.
func (t *token) learn(r ipc.AddRequest) {
	if r.Expiry == ipc.ExpiryUnknown {
		return
	}
	t.expiry, t.expires = r.Expiry, time.Time{}
	if r.Expires != nil {
		t.expires = *r.Expires
	}
}

// install saves the token of next, unless old has it saved already, makes next
// the credential of its name, and only then discards the token of old.
func (a *Agent) install(ctx context.Context, old, next *credential, dryRun bool) error {
	if !next.ephemeral && !a.Store.Durable() {
		return &ipc.Error{
			Code: ipc.CodeStore,
			What: "store " + a.Store.Info().Kind + ": it forgets its tokens when the agent ends",
			Hint: "--ephemeral accepts that; without it nothing is changed",
		}
	}
	if dryRun {
		return nil
	}
	fresh := old == nil || old.token.key != next.token.key
	if fresh {
		if err := save(ctx, a.Store, next.token.key, next.token.secret); err != nil {
			return err
		}
		next.saved = a.Store.Durable()
	}
	a.put(next)
	if fresh {
		a.Log.Info("token added", "credential", next.name, "id", next.token.id)
	}
	if fresh && old != nil {
		a.discard(ctx, old)
	}
	return nil
}

// checkAdd judges a request before anything is touched.
func (a *Agent) checkAdd(r ipc.AddRequest) (token, []ipc.Server, error) {
	now := a.Now()
	t := token{secret: r.Secret, key: newKey(r.Name), id: r.ID, added: now, expiry: r.Expiry}
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

// discard removes the token of a credential that is no longer used. A store
// that keeps it does no harm to anybody's work: it is logged, not returned.
func (a *Agent) discard(ctx context.Context, c *credential) {
	if err := a.Store.Delete(ctx, c.token.key); err != nil {
		a.Log.Warn("old token stays in the store", "credential", c.name, "error", err)
	}
}

// Forget implements ipc.Agent.
func (a *Agent) Forget(ctx context.Context, r ipc.ForgetRequest) error {
	done, err := a.changing(ctx)
	if err != nil {
		return err
	}
	defer done()
	c, err := a.lookup(r.Name)
	if err != nil {
		return err
	}
	a.mu.Lock()
	delete(a.creds, r.Name)
	a.mu.Unlock()
	a.discard(ctx, c)
	a.Log.Info("credential forgotten", "credential", r.Name)
	return nil
}

// Servers implements ipc.Agent.
func (a *Agent) Servers(ctx context.Context, r ipc.ServersRequest) (ipc.Credential, error) {
	add, err := canonicalAll(r.Add)
	if err != nil {
		return ipc.Credential{}, err
	}
	done, err := a.changing(ctx)
	if err != nil {
		return ipc.Credential{}, err
	}
	defer done()
	c, err := a.lookup(r.Name)
	if err != nil {
		return ipc.Credential{}, err
	}
	if len(add) == 0 && len(r.Remove) == 0 && r.NoClusterInfo == nil {
		return c.status(a.Now()), nil
	}
	next := c.clone()
	next.servers = merge(c.servers, add)
	for _, url := range r.Remove {
		if next.servers, err = without(next.servers, url); err != nil {
			return ipc.Credential{}, err
		}
	}
	if r.NoClusterInfo != nil {
		next.noClusterInfo = *r.NoClusterInfo
	}
	next.refusal.Store(nil)
	a.put(next)
	return next.status(a.Now()), nil
}

// without removes every binding to url, whatever its other fields say.
func without(servers []ipc.Server, url string) ([]ipc.Server, error) {
	s, err := Canonical(ipc.Server{URL: url})
	if err != nil {
		return nil, err
	}
	left := slices.DeleteFunc(servers, func(b ipc.Server) bool { return b.URL == s.URL })
	if len(left) == len(servers) {
		return nil, invalid("server "+quote(s.URL)+": not among the credential's servers", "cwagent status -o json shows them")
	}
	return left, nil
}

func canonicalAll(servers []ipc.Server) ([]ipc.Server, error) {
	out := make([]ipc.Server, len(servers))
	for i, s := range servers {
		c, err := Canonical(s)
		if err != nil {
			return nil, err
		}
		out[i] = c
	}
	return out, nil
}

// merge returns the union of two lists of canonical servers, sorted.
func merge(a, b []ipc.Server) []ipc.Server {
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, func(x, y ipc.Server) int {
		return strings.Compare(x.URL+x.TLSServerName+x.ProxyURL+x.CASHA256, y.URL+y.TLSServerName+y.ProxyURL+y.CASHA256)
	})
	return slices.Compact(all)
}
