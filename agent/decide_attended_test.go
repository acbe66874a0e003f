package agent

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// Where a person brings the next token, they are told in time; a standby token
// takes over in time, and when the last of them ends the person is told.
func TestDecideAttended(t *testing.T) {
	t.Parallel()
	month := 30*day + dead
	standby := func(c *credential, tokens ...token) *credential { c.standby = tokens; return c }
	for _, tt := range []struct {
		name  string
		c     *credential
		looks []look
	}{
		{"a month", alone(made(30 * day)), []look{
			{0, valid, 0, rest, 27 * day}, {27*day - 1, valid, 0, rest, 27 * day}, {27 * day, due, causeEnding, rest, month},
			{month - 1, due, causeEnding, rest, month}, {month, gone, 0, rest, never}, {-day, valid, 0, rest, 27 * day},
		}},
		{"two months", alone(made(60 * day)), []look{{46*day - 1, valid, 0, rest, 46 * day}, {46 * day, due, causeEnding, rest, 60*day + dead}}},
		{"eight hours", alone(made(8 * h)), []look{{7*h - 1, valid, 0, rest, 7 * h}, {7 * h, due, causeEnding, rest, 8*h + dead}}},
		{"two hours: no step fits", alone(made(2 * h)), []look{{90*m - 1, valid, 0, rest, 90 * m}, {90 * m, due, causeEnding, rest, 2*h + dead}}},
		{"a year", alone(made(365 * day)), []look{{0, valid, 0, rest, 90*day + 1}, {90 * day, valid, 0, rest, 90*day + 1}, {90*day + 1, due, causeAge, rest, 351 * day}, {351 * day, due, causeEnding, rest, 365*day + dead}}},
		{"no end", alone(endless(ipc.ExpiryNever)), []look{{90 * day, valid, 0, rest, 90*day + 1}, {90*day + 1, due, causeAge, rest, never}}},
		{"a failure of long ago", alone(made(30 * day)).with(func(c *credential) { c.renewal = failed(3, Denied, 0) }), []look{{10 * day, valid, 0, rest, 27 * day}}},

		{"one in standby", standby(alone(keyed(made(8*h), late)), from(made(8*h), 4*h)), []look{
			{0, valid, 0, rest, 7 * h}, {7*h - 1, valid, 0, rest, 7 * h}, {7 * h, valid, 0, promote, 8*h + dead},
			{8*h + dead, gone, 0, promote, never}, {12*h + dead - 1, gone, 0, promote, never}, {12*h + dead, gone, 0, rest, never},
		}},
		{"low stock", standby(alone(made(30*day)), from(made(8*h), 29*day+20*h)), []look{
			{30*day - 2*h, valid, 0, rest, 30*day - h}, {30*day - h, valid, 0, promote, month},
		}},
		{"stock that ends sooner", standby(alone(made(30*day)), made(29*day)), []look{{27*day - 1, valid, 0, rest, 27 * day}, {27 * day, due, causeEnding, rest, month}}},
		{"stock without an end", standby(alone(made(8*h)), endless(ipc.ExpiryNever)), []look{{0, valid, 0, rest, 7 * h}, {7 * h, valid, 0, promote, 8*h + dead}}},
		{"refused stock", standby(alone(made(8*h)), refusedToken(from(made(8*h), h))), []look{{7 * h, due, causeEnding, rest, 8*h + dead}}},
		{"stock that the store has lost", standby(alone(made(8*h)), token{
			key: "k", saved: true, fault: &trouble{err: ErrNotFound}, added: noon, expiry: ipc.ExpiryKnown, expires: noon.Add(9 * h),
		}), []look{{0, valid, 0, rest, 7 * h}, {7 * h, due, causeEnding, rest, 8*h + dead}}},
		{"twelve seconds", standby(alone(made(12*s)), from(made(m), 0)), []look{{0, valid, 0, rest, 8 * s}, {8 * s, valid, 0, promote, 12*s + dead}}},
		{"nobody can say whether it is alive", standby(alone(keyed(made(8*h), late)), made(9*h)).with(func(c *credential) { c.renewal = failed(1, Transient, 7*h) }), []look{
			{7 * h, valid, 0, rest, 7*h + 5619*time.Millisecond}, {8*h + dead, gone, 0, promote, never},
		}},
		{"too old", standby(alone(endless(ipc.ExpiryUnknown)), from(endless(ipc.ExpiryUnknown), day)), []look{{0, valid, 0, rest, 90 * day}, {90 * day, valid, 0, promote, 90*day + 1}}},
		{"too old, and so is what waits", standby(alone(endless(ipc.ExpiryUnknown)), endless(ipc.ExpiryUnknown)), []look{{91 * day, due, causeAge, rest, never}}},

		{"what waits is too old, and ends before its turn", standby(alone(endless(ipc.ExpiryUnknown)), aged(made(85*day), 10*day), from(endless(ipc.ExpiryUnknown), day)), []look{
			{81 * day, valid, 0, rest, 85*day + dead}, {86 * day, valid, 0, rest, 90 * day}, {90 * day, valid, 0, promote, 90*day + 1},
		}},

		{"refused", standby(alone(refusedToken(made(8*h))), made(9*h)), []look{{s, refusal, 0, promote, 8*h + dead}}},
		{"back to one that gave way", alone(refusedToken(made(8 * h))).with(func(c *credential) { c.previous = []token{refusedToken(made(9 * h)), made(10 * h)} }), []look{
			{s, refusal, 0, promote, 8*h + dead}, {9 * h, gone, 0, promote, never}, {10*h + dead, gone, 0, rest, never},
		}},
		{"not back to another owner's", alone(refusedToken(made(8 * h))).with(func(c *credential) {
			c.token.identity, c.previous = ipc.Identity{UID: "me"}, []token{made(10 * h)}
			c.previous[0].identity = ipc.Identity{UID: "you"}
		}), []look{{8*h + dead, gone, 0, rest, never}}},

		{"a source, and one in standby", standby(minted(keyed(made(30*m), late)), made(9*h)), []look{{20 * m, valid, 0, renew, 30*m + dead}, {30 * m, gone, 0, promote, never}}},
		{"a source that fails, and one in standby", standby(minted(keyed(made(30*m), late)), made(9*h)).with(func(c *credential) { c.renewal = failed(3, Broken, 20*m) }), []look{
			{20*m + 24*s, valid, 0, renew, 25 * m}, {25*m - 1, valid, 0, renew, 25 * m}, {25 * m, due, causeSource, promote, 30*m + dead},
		}},
		{"a source that fails, a store that may have the one before", minted(keyed(refusedToken(made(h)), late)).with(func(c *credential) {
			c.renewal, c.previous = failed(1, Broken, m), []token{{key: "k", saved: true, expiry: ipc.ExpiryNever}}
		}), []look{{2 * m, refusal, 0, renew, h + dead}}},
		{"that store fails, too", minted(keyed(refusedToken(made(h)), late)).with(func(c *credential) {
			c.renewal, c.previous = failed(2, Broken, m), []token{{key: "k", saved: true, expiry: ipc.ExpiryNever}}
		}), []look{{2 * m, refusal, 0, promote, h + dead}}},
		{"held", minted(keyed(made(h), late)).with(func(c *credential) { c.held = true }), []look{{55*m - 1, valid, 0, rest, 55 * m}, {55 * m, valid, 0, renew, h + dead}}},
		{"held, short", minted(keyed(made(6*m), late)).with(func(c *credential) { c.held = true }), []look{{0, valid, 0, rest, 5 * m}, {5 * m, valid, 0, renew, 6*m + dead}}},
	} {
		tt.c.looks(t, tt.name, gapEmpty, Policy{}.of(""), tt.looks)
	}
}

// Other rules than the usual ones.
func TestDecideRules(t *testing.T) {
	t.Parallel()
	p := Policy{WarnBefore: []time.Duration{5 * day, 2 * h}, MaxAge: map[string]time.Duration{"old": 0, "young": day}}
	alone(endless(ipc.ExpiryNever)).looks(t, "any age", 0, p.of("old"), []look{{0, valid, 0, rest, never}, {900 * day, valid, 0, rest, never}})
	minted(endless(ipc.ExpiryNever)).looks(t, "any age", 0, p.of("old"), []look{{900 * day, valid, 0, rest, never}})
	alone(aged(endless(ipc.ExpiryNever), h)).looks(t, "a day", 0, p.of("young"), []look{{23 * h, valid, 0, rest, 23*h + 1}, {23*h + 1, due, causeAge, rest, never}})
	alone(made(30*day)).looks(t, "five days", 0, p.of("old"), []look{{25*day - 1, valid, 0, rest, 25 * day}, {25 * day, due, causeEnding, rest, 30*day + dead}})
	alone(made(10*h)).looks(t, "two hours", 0, p.of("old"), []look{{8 * h, due, causeEnding, rest, 10*h + dead}})
}

// anyToken is any token, and anyCredential any credential, that tests can think of.
func anyToken(r *rand.Rand) token {
	some := func() time.Duration {
		return time.Duration(r.Int64N(int64([]time.Duration{10 * s, m, h, 60 * day}[r.IntN(4)])))
	}
	t := from(made(some()), some()-some())
	t.key, t.saved = []string{early, usual, late}[r.IntN(3)], r.IntN(3) > 0
	if r.IntN(3) == 0 {
		t.expiry, t.expires = ipc.ExpiryUnknown, time.Time{}
	}
	if r.IntN(4) == 0 {
		t = aged(t, some())
	}
	if r.IntN(4) == 0 {
		t = refusedToken(t)
	}
	if r.IntN(6) == 0 {
		t.secret = ipc.Secret{}
	}
	return t
}

func anyCredential(r *rand.Rand) *credential {
	c := alone(anyToken(r))
	for range r.IntN(3) {
		c.standby = append(c.standby, anyToken(r))
	}
	slices.SortStableFunc(c.standby, byTurn)
	for range r.IntN(3) {
		c.previous = append(c.previous, anyToken(r))
	}
	if r.IntN(2) == 0 {
		c.setting.Source = mint{}
	}
	if r.IntN(2) == 0 {
		c.renewal = failed(1+r.IntN(9), []Class{Transient, Denied, Broken}[r.IntN(3)], time.Duration(r.Int64N(int64(h))))
	}
	if r.IntN(6) == 0 {
		t := anyToken(r)
		c.pending = &t
	}
	c.held = r.IntN(5) == 0
	c.probes = probes{r.IntN(6), noon.Add(time.Duration(r.Int64N(int64(h))))}
	return c
}

// Whatever the credential: what is usable has not ended; the next look is in the
// future; and until then there is nothing that the loop would miss.
func TestDecideMissesNothing(t *testing.T) {
	t.Parallel()
	r := random(t)
	for range 30_000 {
		c, g := anyCredential(r), gap(1+r.IntN(3))
		policy := rules{warnBefore: warnBefore, maxAge: []time.Duration{0, h, 90 * day}[r.IntN(3)]}
		now := noon.Add(time.Duration(r.Int64N(int64(2*h))) - h)
		for range 40 {
			d := c.decide(now, policy, g)
			if d.usable() && (c.token.secret.Empty() || expired(now, c.token) || c.token.refused != "") {
				t.Fatalf("given out at %v: %+v", now, c.token)
			}
			if !d.next.IsZero() && !d.next.After(now) {
				t.Fatalf("at %v the next look is at %v: %+v", now, d.next, d)
			}
			end := d.next
			if end.IsZero() {
				end = now.Add(400 * day)
			}
			for _, then := range []time.Time{end.Add(-1), now.Add(time.Duration(r.Int64N(int64(end.Sub(now)))))} {
				is := c.decide(then, policy, g)
				if is.state != d.state || is.cause != d.cause || d.action == rest && is.action != rest {
					t.Fatalf("at %v: %+v; before the next look, at %v: %+v\n%+v", now, d, then, is, c)
				}
				if is.usable() && expired(then, c.token) {
					t.Fatalf("given out at %v, late: %+v", then, c.token)
				}
			}
			if d.next.IsZero() {
				break
			}
			now = d.next
		}
	}
}
