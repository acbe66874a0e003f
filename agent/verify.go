package agent

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// Tolerable is how far this machine's clock may be from the verifier's before
// an expiry would be off by something that matters.
const Tolerable = 5 * time.Minute

// vouch asks whether a new token is alive and whose it is, before anything is
// done with it. old is the credential that it would belong to, or nil. why is
// what there is to say about an answer that is good but may lack something.
func (a *Agent) vouch(ctx context.Context, r ipc.AddRequest, t *token, servers []ipc.Server, old *credential) (why string, err error) {
	if r.NoVerify {
		return "", nil
	}
	v := a.ask(ctx, r, VerifyRequest{Token: t.secret, Servers: witnesses(t.secret, servers, old), CAs: a.authorities(old, r.CAs)})
	what := "token for " + quote(r.Name) + ": "
	switch {
	case v.Life == Rejected:
		return "", &ipc.Error{Code: ipc.CodeRefused, What: what + "it is refused: " + v.Why,
			Hint: "it may be deleted or expired: make a new one at " + consolePage + "; nothing was changed"}
	case v.Life != Alive:
		return "", &ipc.Error{Code: ipc.CodeUnverified, What: what + "nobody could say whether it is alive: " + v.Why,
			Hint: "--no-verify takes it as it is; nothing was changed"}
	case v.Skew.Abs() > Tolerable:
		return "", &ipc.Error{Code: ipc.CodeInvalid, What: what + "this machine's clock is " + SkewWords(v.Skew),
			Hint: "set the clock: an expiry would be wrong by as much; --no-verify takes the token all the same"}
	}
	t.identity, t.verified = v.Identity, v.At
	if v.At.IsZero() {
		t.verified = a.Now()
	}
	return v.Why, nil
}

// witnesses are the API servers that may be asked about a new token. An API Access
// Token is never shown to a server that only the new request names: one bad
// context in a kubeconfig would be enough to lose it before anybody has used
// that context. About any other token nobody else could be asked.
func witnesses(token ipc.Secret, servers []ipc.Server, old *credential) []ipc.Server {
	var bound []ipc.Server
	if old != nil {
		bound = old.bindings()
	}
	if IsAPIToken(token) {
		return bound
	}
	return merge(bound, servers)
}

// sameOwner reports whether t, as far as known, belongs to whom the token of old
// belongs to. It is asked in one's turn: who owned the name before may have
// changed while the network was asked. why is what vouch said.
//
// Where whoami has once said whose the credential is, another token has to be
// known as well: a cluster knows a user name at most, and whoami that is down
// must not open the name to a stranger's token. Who wants nobody asked about the
// token wants nobody asked about its owner either.
func sameOwner(r ipc.AddRequest, old *credential, t token, why string) error {
	if old == nil || r.AllowIdentityChange {
		return nil
	}
	known := old.owner()
	switch {
	case !same(known, t.identity):
		return &ipc.Error{
			Code: ipc.CodeIdentity,
			What: "token for " + quote(r.Name) + ": it belongs to " + owner(t.identity) + ", the credential to " + owner(known),
			Hint: "take another name for it, or --allow-identity-change; nothing was changed",
		}
	case !r.NoVerify && poorer(t.identity, known) && !old.token.secret.Equal(t.secret):
		return &ipc.Error{
			Code: ipc.CodeUnverified,
			What: "token for " + quote(r.Name) + ": the credential belongs to " + owner(known) +
				", and nobody could say whose this one is: " + cmp.Or(why, "the answer does not tell"),
			Hint: "--allow-identity-change takes it all the same, or try again when CoreWeave answers; nothing was changed",
		}
	}
	return nil
}

// poorer reports whether i lacks what whoami says of known.
func poorer(i, known ipc.Identity) bool {
	return known.OrgUID != "" && i.OrgUID == "" || known.UID != "" && i.UID == ""
}

// authorities returns the certificate authorities known so far, those that the
// config names for c, which may be nil, and those given.
func (a *Agent) authorities(c *credential, given [][]byte) map[string][]byte {
	a.mu.RLock()
	all := maps.Clone(a.cas)
	a.mu.RUnlock()
	if all == nil {
		all = map[string][]byte{}
	}
	if c != nil {
		given = slices.Concat(given, c.setting.CAs)
	}
	for _, raw := range given {
		if certs := Certificates(raw); len(certs) > 0 {
			all[Fingerprint(raw)] = certs
		}
	}
	return all
}

// exactAuthorities are the certificate authorities of the servers of c that are known
// byte for byte: where there was more in one than certificates, that was not kept.
func (a *Agent) exactAuthorities(c *credential) map[string][]byte {
	all, exact := a.authorities(c, nil), map[string][]byte{}
	for _, s := range c.bindings() {
		if ca := all[s.CASHA256]; len(ca) > 0 && Fingerprint(ca) == s.CASHA256 {
			exact[s.CASHA256] = ca
		}
	}
	return exact
}

// learn keeps the certificate authorities given. The caller is the one who may
// change.
func (a *Agent) learn(given [][]byte) {
	if len(given) == 0 {
		return
	}
	all := a.authorities(nil, given)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cas = all
}

// Verify implements ipc.Agent. A token that is refused gives way, if there is
// another one to be had.
func (a *Agent) Verify(ctx context.Context, r ipc.VerifyRequest) (ipc.VerifyReply, error) {
	c, err := a.seek(ctx, r.Name)
	if err != nil {
		return ipc.VerifyReply{}, err
	}
	if c.token.inStore() {
		c = a.await(ctx, c)
	}
	if c.token.secret.Empty() {
		_, err := a.usable(c, a.Now())
		return ipc.VerifyReply{}, err
	}
	v, now, err := a.examine(ctx, c)
	if err != nil {
		return ipc.VerifyReply{}, err
	}
	if v.Life == Unknown {
		a.Log.InfoContext(ctx, "verified in vain", "credential", c.name, "why", v.Why)
	}
	if first := now.urge(a.Now()); v.Life == Rejected && first != rest {
		// What came of it is seen in the state.
		_ = a.demand(ctx, r.Name, order{asked: true, first: first})
		if now, err = a.lookup(r.Name); err != nil {
			return ipc.VerifyReply{}, err
		}
	}
	return ipc.VerifyReply{Life: string(v.Life), Why: v.Why, Skew: v.Skew, Credential: a.describe(now, a.Now())}, nil
}

// examine asks about the token of c and notes what follows from the answer. It
// returns the credential as it is then.
func (a *Agent) examine(ctx context.Context, c *credential) (Verdict, *credential, error) {
	c.vigil.asking(a.Now())
	v := a.Verifier.Verify(ctx, VerifyRequest{Token: c.token.secret, Servers: c.bindings(), CAs: a.authorities(c, nil)})
	if v.Life == Unknown {
		return v, c, nil
	}
	done, err := a.changing(ctx)
	if err != nil {
		return v, c, err
	}
	defer done()
	now, err := a.lookup(c.name)
	if err != nil {
		return v, c, err
	}
	if !now.token.secret.Equal(c.token.secret) {
		return Verdict{Life: Unknown, Why: "its token was replaced while the old one was asked about", Skew: v.Skew}, now, nil
	}
	if v.Life == Alive && now.unproved() && !same(now.owner(), v.Identity) {
		v.Life, v.Why = Rejected, "it belongs to "+owner(v.Identity)+", the credential to "+owner(now.owner())
	}
	next := now.clone()
	if (v.Life == Rejected) == (now.token.refused != "") {
		next = now.same() // requests get what they got
	}
	switch {
	case v.Life == Rejected:
		next.token.refused = cmp.Or(v.Why, "it does not say why")
		if now.token.refused == "" {
			next.probes = probes{last: a.Now()}
		}
	case !same(now.owner(), v.Identity):
		// Who is right is a person's to say. The token is alive in any case.
		next.token.refused = ""
		v.Why = "it belongs to " + owner(v.Identity) + " by this answer, to " + owner(now.owner()) + " as known so far"
		a.Log.Warn("verified as another owner's", "credential", c.name, "now", owner(v.Identity), "known", owner(now.owner()))
	default:
		next.token.identity, next.token.verified, next.token.refused = fuller(now.token.identity, v.Identity), cmp.Or(v.At, a.Now()), ""
	}
	if err := a.write(a.page(next)); err != nil {
		a.Log.Warn("verdict not written", "credential", c.name, "error", err)
	}
	a.put(next)
	a.discard(ctx) // previous tokens may be needed no more
	a.Log.InfoContext(ctx, "verified", "credential", c.name, "life", v.Life)
	return v, next, nil
}

// probe asks about a token that was refused, and about which nobody has asked for
// a while.
func (a *Agent) probe(ctx context.Context, c *credential) error {
	a.revise(c.name, func(next *credential) { next.probes = probes{next.probes.n + 1, a.Now()} })
	_, _, err := a.examine(ctx, c)
	return err
}

// same reports whether two identities can be one. What is not known contradicts
// nothing.
func same(a, b ipc.Identity) bool {
	differ := func(x, y string) bool { return x != "" && y != "" && x != y }
	return !differ(a.OrgUID, b.OrgUID) && !differ(a.UID, b.UID) && !differ(a.User, b.User)
}

// fuller is what is known of an owner after another answer: an API server knows
// a user name only, and that must not make whoami's answer forgotten.
func fuller(known, now ipc.Identity) ipc.Identity {
	if !same(known, now) {
		return now
	}
	return ipc.Identity{
		OrgUID: cmp.Or(now.OrgUID, known.OrgUID),
		UID:    cmp.Or(now.UID, known.UID),
		User:   cmp.Or(now.User, known.User),
	}
}

func owner(i ipc.Identity) string {
	switch {
	case i.OrgUID != "" || i.UID != "":
		return "uid " + quote(i.UID) + " of organization " + quote(i.OrgUID)
	case i.User != "":
		return "user " + quote(i.User)
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
