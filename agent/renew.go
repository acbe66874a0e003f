package agent

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/cwagent/cwagent/ipc"
)

// renew gets the next token of c from its source, asks whether it is alive and
// whose it is, and lets it take over. Until then the one before is used.
//
// A token that came and about which nobody could say anything waits for a
// verdict: many sources mint at each call. It takes over without one only where
// there is nothing else left to give out.
func (a *Agent) renew(ctx context.Context, c *credential, o order) error {
	source := c.setting.Source
	if source == nil {
		return &SourceError{Class: Denied, Why: "no source", Hint: "in config.yaml: credentials, source"}
	}
	var t token
	if c.pending != nil {
		t = *c.pending
	}
	waited := !t.secret.Empty() && t.refused == "" && !expired(a.Now(), t)
	if !waited {
		minted, err := source.Next(ctx, Occasion{Credential: c.name, Lend: a.lender(c.name)})
		if err != nil {
			return err
		}
		if t, err = a.accept(c, minted); err != nil {
			return err
		}
		t.refused = c.against(t.secret)
		waits := t // t is going to change
		a.revise(c.name, func(next *credential) { next.pending = &waits })
	}
	if err := a.unwanted(ctx, c, t, o); err != nil {
		a.revise(c.name, func(next *credential) { next.pending = nil })
		return err
	}
	if err := a.vouchFor(ctx, c, &t, o.anyOwner); err != nil {
		if f, ok := errors.AsType[*SourceError](err); ok && f.Class == Denied && waited {
			return a.renewAnew(ctx, c.name, o)
		}
		return err
	}
	done, err := a.changing(ctx)
	if err != nil {
		return err
	}
	defer done()
	now, err := a.lookup(c.name)
	switch {
	case err != nil:
		return err // forgotten meanwhile
	case now.setting.Source != source:
		return nil // another source by now: it is for that one to say
	case now.token.secret.Equal(t.secret):
		return a.extend(ctx, now, t)
	}
	if t.identity == (ipc.Identity{}) && !o.anyOwner {
		// Or the owner would be forgotten with the tokens before, and the next
		// stranger's token make its owner the credential's.
		t.identity = now.owner()
	}
	a.takeOver(ctx, now, t, source.Kind())
	return nil
}

// unwanted says why a token of the source is not to become the current one, whoever would
// vouch for it; nil: nothing is known against it.
func (a *Agent) unwanted(ctx context.Context, c *credential, t token, o order) error {
	switch {
	case c.token.refused == "" && c.token.secret.Equal(t.secret):
		return nothingNew(c.token, t) // and nobody has to be asked about it
	case c.held && !o.byHand && a.decide(c, a.Now()).usable() && a.gaveWay(ctx, c, t):
		return errSame // a person went back from that one
	}
	return nil
}

// gaveWay reports whether t is one of the tokens that gave way in c.
func (a *Agent) gaveWay(ctx context.Context, c *credential, t token) bool {
	return slices.ContainsFunc(c.previous, func(p token) bool {
		if p.inStore() {
			get, cancel := context.WithTimeout(ctx, storeCall)
			defer cancel()
			p.secret, _ = a.Store.Get(get, p.key) // one that cannot be read is not that one, for all we know
		}
		return !p.secret.Empty() && p.secret.Equal(t.secret)
	})
}

// accept makes a token of what a source gave, if it is one that can be used.
func (a *Agent) accept(c *credential, m Minted) (token, error) {
	now := a.Now()
	t := token{
		secret: m.Secret, key: newKey(c.name, ""), api: IsAPIToken(m.Secret), added: now, created: m.Created,
		expiry: m.Expiry, expires: m.Expires,
	}
	bad := func(why string) (token, error) {
		return token{}, &SourceError{Class: Broken, Why: c.setting.Source.Kind() + ": " + why}
	}
	if e, ok := CheckToken(m.Secret).(*ipc.Error); ok {
		return bad(e.What)
	}
	if expired(now, t) {
		return bad("its token ends at " + instant(t.expires) + ", which leaves no time to use it")
	}
	return t, nil
}

// vouchFor asks whether t, which is to take over in c, is alive and whose it is.
func (a *Agent) vouchFor(ctx context.Context, c *credential, t *token, anyOwner bool) error {
	v := a.opinion(ctx, c, *t)
	known := c.owner()
	if anyOwner {
		known = ipc.Identity{}
	}
	switch {
	case v.Life == Rejected:
		if c.token.secret.Equal(t.secret) {
			_, _, _ = a.examine(ctx, c) // it is in use: that has to be known of it
		}
		return a.turnDown(c, *t, &SourceError{Class: Denied, Why: "the next token is refused: " + v.Why})
	case v.Life == Alive && !same(known, v.Identity):
		return a.turnDown(c, *t, &SourceError{
			Class: Denied, Why: "the next token belongs to " + owner(v.Identity) + ", the credential to " + owner(known),
			Hint: "if that is meant: cwagent rotate " + c.name + " --allow-identity-change",
		})
	case v.Life != Alive && t.refused != "":
		return a.turnDown(c, *t, &SourceError{Class: Denied, Why: t.refused})
	case v.Life == Alive:
		t.refused = ""
		t.identity, t.verified = v.Identity, v.At
		if v.At.IsZero() {
			t.verified = a.Now()
		}
	}
	proved := v.Life == Alive && !poorer(v.Identity, known)
	if now, err := a.lookup(c.name); !proved && err == nil && a.decide(now, a.Now()).usable() {
		return &SourceError{
			Class: Transient, Why: "nobody could say whether the next token is alive, and whose: " + cmp.Or(v.Why, "the answer does not tell"),
			Hint: "it takes over when somebody can, or when the current one ends",
		}
	}
	return nil
}

// turnDown remembers why t does not take over in c: a source may give it again when
// nobody can say anything about it.
func (a *Agent) turnDown(c *credential, t token, why *SourceError) error {
	t.refused = why.Why
	a.revise(c.name, func(next *credential) { next.pending = &t })
	return why
}

// against is what is known against a token that a source gave; most often nothing.
func (c *credential) against(s ipc.Secret) string {
	if c.pending != nil && c.pending.secret.Equal(s) {
		return c.pending.refused
	}
	for _, t := range c.previous {
		if t.refused != "" && t.secret.Equal(s) {
			return "the next token is refused: " + t.refused
		}
	}
	return ""
}

// opinion asks about t, which is to take over in c, and does not wait for long
// once callers are given nothing else: with no network an answer takes as long as
// the verifier has patience, and they have less.
func (a *Agent) opinion(ctx context.Context, c *credential, t token) Verdict {
	now, limit := a.Now(), verdictWait
	if cur, err := a.lookup(c.name); err == nil && a.decide(cur, now).usable() {
		limit = aloft
		if cur.token.expiry == ipc.ExpiryKnown {
			limit = min(limit, cur.token.expires.Sub(now)+verdictWait)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return a.Verifier.Verify(ctx, VerifyRequest{Token: t.secret, Servers: c.bindings(), CAs: a.authorities(c, nil)})
}

// promoteNext lets the token whose turn it is take over, once it was found alive;
// where nobody can say, only if there is nothing else to give out. A rejected one
// is not asked about again.
func (a *Agent) promoteNext(ctx context.Context, c *credential) error {
	p := c.successor(a.Now())
	if p == nil {
		return &SourceError{Class: Denied, Why: "no token in standby", Hint: standbyHint(c.name)}
	}
	from := fromStandby
	if !p.retired.IsZero() {
		from = fromBefore
	}
	return a.promoteThis(ctx, c, *p, from)
}

// where a token came from that took over, beside the kinds of sources
const (
	fromStandby = "standby"
	fromPerson  = "console"  // a person has brought it
	fromBefore  = "before"   // it gave way once, and nothing else is left
	rolledBack  = "rollback" // the same, because a person wants it
)

func standbyHint(name string) string { return "make one ahead: cwagent add " + name + " --standby" }

// promoteThis lets t, a standby token of c or one that gave way, take over.
func (a *Agent) promoteThis(ctx context.Context, c *credential, t token, from string) error {
	if t.secret.Empty() {
		get, cancel := context.WithTimeout(ctx, storeCall)
		defer cancel()
		var err error
		if t.secret, err = a.Store.Get(get, t.key); err != nil {
			a.misses(c.name, t.key, err)
			return &ipc.Error{Code: ipc.CodeStore, What: "store " + a.Store.Info().Kind + ": " + err.Error(), Hint: a.remedy(c)}
		}
	}
	v := a.opinion(ctx, c, t)
	now, err := a.lookup(c.name)
	if err != nil {
		return err
	}
	if v.Life == Unknown && a.decide(now, a.Now()).usable() && (from != rolledBack || t.refused != "") {
		return &SourceError{Class: Transient, Why: "nobody could say whether the next token is alive: " + v.Why}
	}
	done, err := a.changing(ctx)
	if err != nil {
		return err
	}
	defer done()
	if now, err = a.lookup(c.name); err != nil {
		return err
	}
	expected := t.identity // a person may have put another owner's there on purpose
	if expected == (ipc.Identity{}) {
		expected = now.owner()
	}
	why := v.Why
	if v.Life == Alive && from != rolledBack && !same(expected, v.Identity) {
		v.Life, why = Rejected, "it belongs to "+owner(v.Identity)+", the credential to "+owner(expected)
	}
	switch {
	case !now.has(t.key):
		return nil // taken away meanwhile
	case v.Life == Rejected:
		a.reject(now, t.key, why)
		if from == rolledBack {
			return &SourceError{Class: Denied, Why: "the token before is refused: " + why}
		}
		return nil // the next one has its turn
	case v.Life == Alive:
		t.identity, t.verified, t.refused = fuller(t.identity, v.Identity), cmp.Or(v.At, a.Now()), ""
	}
	a.takeOver(ctx, now, t, from)
	return nil
}

// has reports whether a standby token or one that gave way has that key.
func (c *credential) has(key string) bool {
	for _, list := range [][]token{c.standby, c.previous} {
		for _, t := range list {
			if t.key == key {
				return true
			}
		}
	}
	return false
}

// reject notes that a token of c which is not in use is refused. The caller is
// the one who may change.
func (a *Agent) reject(c *credential, key, why string) {
	next := c.same()
	mark := func(list []token) []token {
		list = append([]token(nil), list...)
		for i := range list {
			if list[i].key == key {
				list[i].refused = why
			}
		}
		return list
	}
	next.standby, next.previous = mark(next.standby), mark(next.previous)
	a.put(next)
	if err := a.write(a.page()); err != nil {
		a.Log.Warn("state not written", "credential", c.name, "error", err)
	}
	a.Log.Warn("token that waited is refused", "credential", c.name, "why", why)
}
