package ipctest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// Add implements ipc.Agent.
func (f *Fake) Add(_ context.Context, r ipc.AddRequest) (ipc.AddReply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.addLocked(r)
}

// AddAll implements ipc.Agent.
func (f *Fake) AddAll(_ context.Context, rs []ipc.AddRequest) ([]ipc.AddReply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	seen, before := map[string]bool{}, maps.Clone(f.creds)
	replies := []ipc.AddReply{}
	for _, r := range rs {
		err := error(nil)
		if seen[r.Name] || r.Replace || r.Standby || len(rs) > ipc.MaxTogether {
			err = fail(ipc.CodeInvalid, "add: not together with others")
		}
		var reply ipc.AddReply
		if err == nil {
			reply, err = f.addLocked(r)
		}
		if err != nil {
			f.creds = before
			return nil, err
		}
		seen[r.Name] = true
		replies = append(replies, reply)
	}
	return replies, nil
}

func (f *Fake) addLocked(r ipc.AddRequest) (ipc.AddReply, error) {
	if r.Name == "" || r.Secret.Empty() || r.Expiry == "" {
		return ipc.AddReply{}, fail(ipc.CodeInvalid, "add: a name, a token and an expiry are needed")
	}
	if r.Replace && r.Standby {
		return ipc.AddReply{}, fail(ipc.CodeInvalid, "add: a token takes over now or later, not both")
	}
	t := bearer{secret: r.Secret, id: r.ID, created: r.Created, added: time.Now(), expiry: r.Expiry, expires: r.Expires}
	reply := ipc.AddReply{Outcome: ipc.OutcomeExtended}
	for name, h := range f.creds {
		if name != r.Name && h.token.secret.Equal(r.Secret) {
			reply.SameAs = name
		}
	}
	h, err := f.lookupLocked(r.Name)
	same := h.token.secret.Equal(r.Secret)
	switch {
	case err != nil && (r.Replace || r.Standby):
		return ipc.AddReply{}, err
	case err != nil:
		reply.Outcome = ipc.OutcomeCreated
		h.Credential = ipc.Credential{Name: r.Name, State: ipc.StateValid}
		h.token = t
	case same && r.Standby:
		return ipc.AddReply{}, fail(ipc.CodeExists, "credential "+r.Name+": it serves that token already")
	case same:
	case r.Standby:
		reply.Outcome = h.wait(t)
	case r.Replace:
		reply.Outcome = ipc.OutcomeReplaced
		reply.Retired = h.serve(t)
	case r.DryRun && f.formerLocked(r) != nil:
		return ipc.AddReply{Former: f.formerLocked(r)}, nil
	default:
		return ipc.AddReply{}, fail(ipc.CodeExists, "credential "+r.Name+": it holds another token")
	}
	if !r.Standby {
		reply.Bound = slices.DeleteFunc(union(nil, r.Servers), func(s ipc.Server) bool { return slices.Contains(h.Servers, s) })
		h.Servers = union(h.Servers, r.Servers)
		h.NoClusterInfo = h.NoClusterInfo || r.NoClusterInfo
	}
	if !r.DryRun {
		f.changeLocked(&h)
	} else {
		reply.Former = f.formerLocked(r)
	}
	reply.Credential = h.view()
	return reply, nil
}

// formerLocked returns the token of r where it gave way, and nobody has it now.
func (f *Fake) formerLocked(r ipc.AddRequest) (former *ipc.Retiring) {
	for name, h := range f.creds {
		if h.token.secret.Equal(r.Secret) {
			return nil
		}
		i := slices.IndexFunc(h.retiring, func(t bearer) bool { return t.secret.Equal(r.Secret) })
		if i >= 0 && !slices.ContainsFunc(r.Servers, func(s ipc.Server) bool { return !slices.Contains(h.Servers, s) }) {
			gone := h.retiring[i].gaveWay(name)
			former = &gone
		}
	}
	return former
}

// Servers implements ipc.Agent.
func (f *Fake) Servers(_ context.Context, r ipc.ServersRequest) (ipc.Credential, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h, err := f.lookupLocked(r.Name)
	if err != nil {
		return ipc.Credential{}, err
	}
	if len(r.Add) == 0 && len(r.Remove) == 0 && len(r.Unbind) == 0 && r.NoClusterInfo == nil {
		return h.view(), nil
	}
	h.Servers = union(h.Servers, r.Add)
	for _, url := range r.Remove {
		left := slices.DeleteFunc(slices.Clone(h.Servers), func(s ipc.Server) bool { return s.URL == url })
		if len(left) == len(h.Servers) {
			return ipc.Credential{}, fail(ipc.CodeInvalid, "server "+url+": not among the credential's servers")
		}
		h.Servers = left
	}
	h.Servers = slices.DeleteFunc(slices.Clone(h.Servers), func(s ipc.Server) bool { return slices.Contains(r.Unbind, s) })
	if r.NoClusterInfo != nil {
		h.NoClusterInfo = *r.NoClusterInfo
	}
	f.changeLocked(&h)
	return h.view(), nil
}

// union returns a new slice, because replies share the old one.
func union(a, b []ipc.Server) []ipc.Server {
	out := append([]ipc.Server{}, a...)
	for _, s := range b {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(x, y ipc.Server) int { return cmp.Compare(x.URL, y.URL) })
	return out
}
