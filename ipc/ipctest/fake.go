package ipctest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// Fake is the in-memory body of ipc.Agent: no store, no spelling of servers but
// the canonical one, no clock but the machine's. The zero Fake is empty and
// ready; many goroutines may use it.
type Fake struct {
	mu    sync.Mutex
	creds map[string]held
	last  uint64 // revision
}

type held struct {
	ipc.Credential // its pointers and slices are replaced, never written to
	secret         ipc.Secret
}

var _ ipc.Agent = (*Fake)(nil)

func fail(code ipc.Code, what string) error {
	return &ipc.Error{Code: code, What: what, Hint: "this is a fake agent: look at the test"}
}

func (f *Fake) lookupLocked(name string) (held, error) {
	h, ok := f.creds[name]
	if !ok {
		return h, fail(ipc.CodeNotFound, "credential "+name+": no such credential")
	}
	return h, nil
}

func (f *Fake) putLocked(h held) {
	if f.creds == nil {
		f.creds = map[string]held{}
	}
	f.creds[h.Name] = h
}

// changeLocked makes h the credential of its name, as another one than before.
func (f *Fake) changeLocked(h *held) {
	f.last++
	h.Revision = f.last
	f.putLocked(*h)
}

// Fetch implements ipc.Agent.
func (f *Fake) Fetch(_ context.Context, r ipc.FetchRequest) (ipc.FetchReply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	out, err := f.fetchLocked(r)
	var e *ipc.Error
	if errors.As(err, &e) {
		return ipc.FetchReply{Stderr: []byte(e.Text()), Exit: 1}, nil
	}
	return ipc.FetchReply{Stdout: out}, err
}

func (f *Fake) fetchLocked(r ipc.FetchRequest) ([]byte, error) {
	h, err := f.lookupLocked(r.Name)
	if err != nil {
		return nil, err
	}
	var in execCredential
	if json.Unmarshal(r.ExecInfo, &in) != nil || in.Kind != kind || in.APIVersion != group+"v1" && in.APIVersion != group+"v1beta1" {
		return nil, fail(ipc.CodeMalformed, "KUBERNETES_EXEC_INFO: not understood")
	}
	if err := h.admit(in.Spec.Cluster); err != nil {
		f.putLocked(h)
		return nil, err
	}
	end := time.Now().Add(10 * time.Minute)
	if h.Expires != nil && h.Expires.Before(end) {
		end = *h.Expires
	}
	out := execCredential{APIVersion: in.APIVersion, Kind: in.Kind}
	out.Status = &execStatus{Token: h.secret.Reveal(), Expires: end.Truncate(time.Second)}
	return json.Marshal(out)
}

// admit judges the caller's server, and notes a refusal in h.
func (h *held) admit(c *execCluster) error {
	refusal := &ipc.Refusal{At: time.Now(), Hint: "cwagent servers " + h.Name + " --no-cluster-info"}
	if c != nil {
		refusal.Server = &ipc.Server{URL: c.Server, CASHA256: fingerprint(c.CA)}
		refusal.Hint = "cwagent servers " + h.Name + " --add " + c.Server
	}
	if c == nil && h.NoClusterInfo || c != nil && slices.Contains(h.Servers, *refusal.Server) {
		return nil
	}
	h.Refusal = refusal
	return fail(ipc.CodeNotBound, "credential "+h.Name+": not bound to that server")
}

// Status implements ipc.Agent.
func (f *Fake) Status(_ context.Context, r ipc.StatusRequest) (ipc.Status, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := ipc.Status{
		Agent: ipc.AgentInfo{Version: "fake"}, Store: ipc.StoreInfo{Kind: "memory", Why: "a fake"},
		Credentials: []ipc.Credential{},
	}
	if r.Name != "" {
		if _, err := f.lookupLocked(r.Name); err != nil {
			return ipc.Status{}, err
		}
	}
	for name, h := range f.creds {
		if r.Name == "" || r.Name == name {
			s.Credentials = append(s.Credentials, h.Credential)
		}
	}
	slices.SortFunc(s.Credentials, func(a, b ipc.Credential) int { return cmp.Compare(a.Name, b.Name) })
	return s, nil
}

// Add implements ipc.Agent.
func (f *Fake) Add(_ context.Context, r ipc.AddRequest) (ipc.AddReply, error) {
	if r.Name == "" || r.Secret.Empty() || r.Expiry == "" {
		return ipc.AddReply{}, fail(ipc.CodeInvalid, "add: a name, a token and an expiry are needed")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	reply := ipc.AddReply{Outcome: ipc.OutcomeExtended}
	for name, h := range f.creds {
		if name != r.Name && h.secret.Equal(r.Secret) {
			reply.SameAs = name
		}
	}
	h, err := f.lookupLocked(r.Name)
	switch {
	case err != nil && r.Replace:
		return ipc.AddReply{}, err
	case err != nil:
		reply.Outcome = ipc.OutcomeCreated
		h.Credential = ipc.Credential{Name: r.Name, State: ipc.StateValid}
	case h.secret.Equal(r.Secret):
	case r.Replace:
		reply.Outcome = ipc.OutcomeReplaced
	default:
		return ipc.AddReply{}, fail(ipc.CodeExists, "credential "+r.Name+": it holds another token")
	}
	if reply.Outcome != ipc.OutcomeExtended {
		h.secret, h.ID, h.Created, h.Added = r.Secret, r.ID, r.Created, time.Now()
		h.Expiry, h.Expires = r.Expiry, r.Expires
	}
	reply.Bound = slices.DeleteFunc(union(nil, r.Servers), func(s ipc.Server) bool { return slices.Contains(h.Servers, s) })
	h.Servers = union(h.Servers, r.Servers)
	h.NoClusterInfo = h.NoClusterInfo || r.NoClusterInfo
	if !r.DryRun {
		f.changeLocked(&h)
	}
	reply.Credential = h.Credential
	return reply, nil
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

// Forget implements ipc.Agent.
func (f *Fake) Forget(_ context.Context, r ipc.ForgetRequest) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	h, err := f.lookupLocked(r.Name)
	if err == nil && r.IfRevision != 0 && r.IfRevision != h.Revision {
		return fail(ipc.CodeChanged, "credential "+r.Name+": it has changed meanwhile")
	}
	delete(f.creds, r.Name)
	return err
}

// Token implements ipc.Agent.
func (f *Fake) Token(_ context.Context, r ipc.TokenRequest) (ipc.Secret, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h, err := f.lookupLocked(r.Name)
	return h.secret, err
}

// Verify implements ipc.Agent. There is nobody whom a fake could ask.
func (f *Fake) Verify(_ context.Context, r ipc.VerifyRequest) (ipc.VerifyReply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h, err := f.lookupLocked(r.Name)
	return ipc.VerifyReply{Credential: h.Credential, Life: "unknown", Why: "a fake"}, err
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
		return h.Credential, nil
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
	return h.Credential, nil
}

func fingerprint(ca []byte) string {
	if len(ca) == 0 {
		return ""
	}
	sum := sha256.Sum256(ca)
	return hex.EncodeToString(sum[:])
}
