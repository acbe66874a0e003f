package ipctest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
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

	fetches map[outcome]int
}

// held is a credential. Its pointers and slices, also those of what it embeds,
// are replaced and never written to: copies and replies share them.
type held struct {
	ipc.Credential // all of it that is not about tokens; see view
	token          bearer
	standby        []bearer // in the order of their turns
	retiring       []bearer // the newest first
}

var _ ipc.Agent = (*Fake)(nil)

func fail(code ipc.Code, what string) error {
	return &ipc.Error{Code: code, What: what, Hint: "this is a fake agent: look at the test"}
}

// lookupLocked returns a credential without what has ended meanwhile.
func (f *Fake) lookupLocked(name string) (held, error) {
	h, ok := f.creds[name]
	if !ok {
		return h, fail(ipc.CodeNotFound, "credential "+name+": no such credential")
	}
	h.standby, h.retiring = alive(h.standby), alive(h.retiring)
	return h, nil
}

// namesLocked are the names of all credentials, in order.
func (f *Fake) namesLocked() []string { return slices.Sorted(maps.Keys(f.creds)) }

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
	f.countLocked(r.Name, err)
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
	if h.token.expires != nil && h.token.expires.Before(end) {
		end = *h.token.expires
	}
	out := execCredential{APIVersion: in.APIVersion, Kind: in.Kind}
	out.Status = &execStatus{Token: h.token.secret.Reveal(), Expires: end.Truncate(time.Second)}
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
	names := f.namesLocked()
	if r.Name != "" {
		names = []string{r.Name}
	}
	for _, name := range names {
		h, err := f.lookupLocked(name)
		if err != nil {
			return ipc.Status{}, err
		}
		s.Credentials = append(s.Credentials, h.view())
	}
	return s, nil
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
	if e := h.token.expires; err == nil && r.MinLeft > 0 && !r.Dead && e != nil && time.Until(*e) < r.MinLeft {
		return ipc.Secret{}, fail(ipc.CodeExpired, "credential "+r.Name+": its token ends too soon")
	}
	if r.Keep {
		return ipc.Secret{}, err
	}
	return h.token.secret, err
}

// Keys implements ipc.Agent. A fake knows nobody who would give it any.
func (f *Fake) Keys(_ context.Context, r ipc.KeysRequest) (ipc.Secret, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, err := f.lookupLocked(r.Name); err != nil {
		return ipc.Secret{}, err
	}
	return ipc.Secret{}, fail(ipc.CodeSource, "credential "+r.Name+": nobody gives it object storage keys")
}

// Stores implements ipc.Agent.
func (f *Fake) Stores(context.Context, ipc.StoresRequest) (ipc.StoresReply, error) {
	return ipc.StoresReply{Stores: []ipc.StoreInfo{{Kind: "memory", Why: "a fake"}}}, nil
}

// Migrate implements ipc.Agent. A fake has nowhere to move to.
func (f *Fake) Migrate(_ context.Context, r ipc.MigrateRequest) (ipc.MigrateReply, error) {
	return ipc.MigrateReply{}, fail(ipc.CodeInvalid, "store "+r.To+": tokens cannot rest there")
}

// Lock implements ipc.Agent. A fake has only what it would lose.
func (f *Fake) Lock(_ context.Context, r ipc.LockRequest) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.creds) > 0 && !r.Force {
		return fail(ipc.CodeStore, "agent: its tokens are in memory only")
	}
	return fail(ipc.CodeInvalid, "agent: a fake cannot be locked")
}

// Unlock implements ipc.Agent.
func (f *Fake) Unlock(context.Context, ipc.UnlockRequest) (ipc.UnlockReply, error) {
	return ipc.UnlockReply{}, nil
}

// Leave implements ipc.Agent. A fake only says whether it would.
func (f *Fake) Leave(_ context.Context, r ipc.LeaveRequest) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.creds) > 0 && !r.Stay && !r.Force {
		return fail(ipc.CodeStore, "agent: its tokens are in memory only")
	}
	return nil
}

// Verify implements ipc.Agent. There is nobody whom a fake could ask.
func (f *Fake) Verify(_ context.Context, r ipc.VerifyRequest) (ipc.VerifyReply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h, err := f.lookupLocked(r.Name)
	return ipc.VerifyReply{Credential: h.view(), Life: "unknown", Why: "a fake"}, err
}

func fingerprint(ca []byte) string {
	if len(ca) == 0 {
		return ""
	}
	sum := sha256.Sum256(ca)
	return hex.EncodeToString(sum[:])
}
