package agent

import (
	"context"
	"maps"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// Tolerable is how far this machine's clock may be from the verifier's before
// an expiry would be off by something that matters.
const Tolerable = 5 * time.Minute

// vouch asks whether a new token is alive and whose it is, before anything is
// done with it. old is the credential that it would belong to, or nil.
func (a *Agent) vouch(ctx context.Context, r ipc.AddRequest, t *token, servers []ipc.Server, old *credential) error {
	if r.NoVerify {
		return nil
	}
	if old != nil {
		servers = merge(old.servers, servers)
	}
	v := a.Verifier.Verify(ctx, VerifyRequest{Token: t.secret, Servers: servers, CAs: a.authorities(r.CAs)})
	what := "token for " + quote(r.Name) + ": "
	switch {
	case v.Life == Rejected:
		return &ipc.Error{Code: ipc.CodeRefused, What: what + "it is refused: " + v.Why,
			Hint: "it may be deleted or expired: make a new one at " + consolePage + "; nothing was changed"}
	case v.Life != Alive:
		return &ipc.Error{Code: ipc.CodeUnverified, What: what + "nobody could say whether it is alive: " + v.Why,
			Hint: "--no-verify takes it as it is; nothing was changed"}
	case v.Skew.Abs() > Tolerable:
		return &ipc.Error{Code: ipc.CodeInvalid, What: what + "this machine's clock is " + SkewWords(v.Skew),
			Hint: "set the clock: an expiry would be wrong by as much; --no-verify takes the token all the same"}
	case old != nil && !r.AllowIdentityChange && !same(old.token.identity, v.Identity):
		return &ipc.Error{Code: ipc.CodeIdentity, What: what + "it belongs to " + owner(v.Identity) + ", the credential to " + owner(old.token.identity),
			Hint: "take another name for it, or --allow-identity-change; nothing was changed"}
	}
	t.identity, t.verified = v.Identity, v.At
	return nil
}

// authorities returns the certificate authorities known so far and those given.
func (a *Agent) authorities(given [][]byte) map[string][]byte {
	a.mu.RLock()
	all := maps.Clone(a.cas)
	a.mu.RUnlock()
	if all == nil {
		all = map[string][]byte{}
	}
	for _, pem := range given {
		all[Fingerprint(pem)] = pem
	}
	return all
}

// Verify implements ipc.Agent.
func (a *Agent) Verify(ctx context.Context, r ipc.VerifyRequest) (ipc.VerifyReply, error) {
	c, err := a.lookup(r.Name)
	if err != nil {
		return ipc.VerifyReply{}, err
	}
	if c.inStore() {
		c = a.await(ctx, c)
	}
	if c.token.secret.Empty() {
		_, err := a.usable(c, a.Now())
		return ipc.VerifyReply{}, err
	}
	v := a.Verifier.Verify(ctx, VerifyRequest{Token: c.token.secret, Servers: c.servers, CAs: a.authorities(nil)})
	reply := ipc.VerifyReply{Life: string(v.Life), Why: v.Why, Skew: v.Skew}
	if v.Life == Unknown {
		reply.Credential = a.describe(c, a.Now())
		return reply, nil
	}
	done, err := a.changing(ctx)
	if err != nil {
		return ipc.VerifyReply{}, err
	}
	defer done()
	now, err := a.lookup(r.Name)
	if err != nil || !now.token.secret.Equal(c.token.secret) {
		return reply, err // replaced meanwhile: the verdict is about another token
	}
	next := now.clone()
	if v.Life == Alive {
		next.token.identity, next.token.verified, next.token.refused = v.Identity, v.At, ""
	} else {
		next.token.refused = v.Why
	}
	if err := a.write(a.page(next, "")); err != nil {
		a.Log.Warn("verdict not written", "credential", r.Name, "error", err)
	}
	a.put(next)
	a.Log.Info("verified", "credential", r.Name, "life", v.Life)
	reply.Credential = a.describe(next, a.Now())
	return reply, nil
}

// same reports whether two identities can be one. What is not known contradicts
// nothing.
func same(a, b ipc.Identity) bool {
	differ := func(x, y string) bool { return x != "" && y != "" && x != y }
	return !differ(a.OrgUID, b.OrgUID) && !differ(a.UID, b.UID) && !differ(a.User, b.User)
}

func owner(i ipc.Identity) string {
	switch {
	case i.User != "":
		return "user " + quote(i.User)
	case i.OrgUID != "" || i.UID != "":
		return "uid " + quote(i.UID) + " of organization " + quote(i.OrgUID)
	}
	return "an unknown owner"
}

// SkewWords says how a clock stands, given how far the other one is ahead of it.
func SkewWords(skew time.Duration) string {
	if skew > 0 {
		return skew.Round(time.Second).String() + " behind"
	}
	return (-skew).Round(time.Second).String() + " ahead"
}
