package agent

import (
	"context"
	"slices"
	"strings"

	"github.com/cwagent/cwagent/ipc"
)

// sweep removes from the store what no credential uses any more.
func (a *Agent) sweep(ctx context.Context) {
	done, err := a.changing(ctx)
	if err != nil {
		return
	}
	defer done()
	a.discard(ctx)
	a.sweepElsewhere(ctx)
}

// discard deletes the orphans of the ledger from the store. The caller is the
// one who may change. A store that keeps them does no harm to anybody's work: it
// is logged, and tried again after the next change or at the next start.
func (a *Agent) discard(ctx context.Context) {
	if a.barred != nil {
		return // others may be about to use them
	}
	a.expirePrevious()
	t := a.silent.Load()
	if len(a.book.Orphans) == 0 {
		if t != nil && !a.owes() {
			a.note(&a.silent, nil) // nobody wants anything of it: whether it lasts is not known
		}
		return
	}
	if t != nil && a.Now().Before(t.next(a.Now())) || !a.reached(ctx) {
		return
	}
	if a.unsure && a.write(a.page()) != nil {
		return // for the ledger on disk, one of them may be in use
	}
	b := a.page()
	var err error
	for _, key := range a.book.Orphans {
		if err = remove(ctx, a.Store, key); err != nil {
			a.Log.Warn("unused token stays in the store for now", "key", key, "error", err)
			a.noteSilence(err)
			break
		}
		b.drop(key)
	}
	if err == nil {
		a.note(&a.silent, nil)
	}
	if len(b.Orphans) == len(a.book.Orphans) {
		return
	}
	if err := a.write(b); err != nil {
		a.Log.Warn("state not written", "error", err)
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
	if r.IfRevision != 0 && r.IfRevision != c.revision {
		return &ipc.Error{
			Code: ipc.CodeChanged,
			What: "credential " + quote(r.Name) + ": it has changed meanwhile",
			Hint: "nothing was changed; cwagent status " + r.Name + " shows it",
		}
	}
	if c.setting.Source != nil && r.IfRevision == 0 {
		return invalid("credential "+quote(r.Name)+": it has a source in the config, which would bring it back",
			"remove its entry from config.yaml first")
	}
	if err := a.write(a.pageWithout(r.Name)); err != nil {
		return err
	}
	a.drop(c)
	a.Log.InfoContext(ctx, "credential forgotten", "credential", r.Name)
	a.discard(ctx)
	return nil
}

// Servers implements ipc.Agent.
func (a *Agent) Servers(ctx context.Context, r ipc.ServersRequest) (ipc.Credential, error) {
	add, err := canonicalAll(r.Add)
	if err != nil {
		return ipc.Credential{}, err
	}
	unbind, err := canonicalAll(r.Unbind)
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
	if len(add) == 0 && len(r.Remove) == 0 && len(unbind) == 0 && r.NoClusterInfo == nil {
		return a.describe(c, a.Now()), nil
	}
	if c.setting.Servers != nil {
		return ipc.Credential{}, invalid("credential "+quote(c.name)+": its servers are written down in the config", "edit config.yaml, or remove them there")
	}
	next := c.clone()
	next.servers = merge(c.servers, add)
	for _, url := range r.Remove {
		if next.servers, err = without(next.servers, url); err != nil {
			return ipc.Credential{}, err
		}
	}
	next.servers = slices.DeleteFunc(next.servers, func(s ipc.Server) bool { return slices.Contains(unbind, s) })
	if r.NoClusterInfo != nil {
		next.noClusterInfo = *r.NoClusterInfo
	}
	next.refusal.Store(nil)
	a.learn(r.CAs)
	if err := a.write(a.page(next)); err != nil {
		return ipc.Credential{}, err
	}
	a.put(next)
	a.Log.InfoContext(ctx, "servers changed", "credential", next.name, "servers", len(next.servers), "noClusterInfo", next.noClusterInfo)
	return a.describe(next, a.Now()), nil
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

// merge returns the union of two lists of canonical servers, sorted by URL. There
// are kubeconfigs with thousands.
func merge(a, b []ipc.Server) []ipc.Server {
	var all []ipc.Server
	seen := make(map[ipc.Server]bool, len(a)+len(b))
	for _, s := range slices.Concat(a, b) {
		if !seen[s] {
			seen[s] = true
			all = append(all, s)
		}
	}
	slices.SortStableFunc(all, func(x, y ipc.Server) int { return strings.Compare(x.URL, y.URL) })
	return all
}
