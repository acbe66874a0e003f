package agent

import (
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// An action is what is to be done about a credential without being asked.
type action uint8

const (
	rest    action = iota
	promote        // a standby token, or one that gave way, takes over
	renew          // ask the source
	probe          // ask whether a refused token is alive again
)

// A decision is how a credential is, and what is to be done about it.
type decision struct {
	state  ipc.State
	cause  cause
	action action
	next   time.Time // when it will be another one by itself; zero: never
}

// A cause is why a credential is in its state, where the state alone does not
// tell.
type cause uint8

const (
	causeEnding cause = iota + 1 // the expiry is near
	causeAge                     // older than maxAge
	causeSource                  // the source has given nothing for too long
)

// usable reports whether the token can be given out.
func (d decision) usable() bool { return d.state == ipc.StateValid || d.state == ipc.StateDue }

// A gap is why there is no token in memory, as far as the store is concerned.
type gap uint8

const (
	gapReading gap = iota + 1 // it is on its way
	gapLocked                 // the store gives nothing
	gapEmpty                  // there is none
)

const (
	// settle is the least time between a token that a source gave and the next
	// one that it is asked for.
	settle = 5 * time.Second

	// early bounds how long before the end of a token a standby token takes over:
	// time for a look at it and for another try, and not so much that life is
	// thrown away.
	earliest, latest = time.Hour, 4 * time.Second

	// holdout is the same where a person went back to a token: its source would
	// only bring the one that they did not want.
	holdout = 5 * time.Minute
)

// decide says how c is and what is to be done about it. It is pure: a function
// of the wall clock, of what is known about c, of r, and of g where there is no
// token in memory. The loop and the requests ask the same one, so that a late
// timer can never give out an expired token.
func (c *credential) decide(now time.Time, r rules, g gap) decision {
	d := decision{state: ipc.StateValid}
	at := func(t time.Time) bool { // has t come? If not, it is one to look at
		if t.IsZero() {
			return false
		}
		if !now.Before(t) {
			return true
		}
		if d.next.IsZero() || t.Before(d.next) {
			d.next = t
		}
		return false
	}
	switch t := c.token; {
	case t.secret.Empty():
		d.state = ipc.StateLocked
		if g == gapEmpty {
			d.state = ipc.StateEmpty
		}
	case t.expiry == ipc.ExpiryKnown && at(t.expires.Add(-useless+1)):
		d.state = ipc.StateExpired
	case t.refused != "":
		d.state = ipc.StateRefused
	default:
		d.state, d.cause = c.age(r, at)
	}
	if d.state == ipc.StateLocked && g == gapReading {
		return d
	}
	d.action = c.act(now, r, d, at)
	return d
}

// age tells a valid token from one that is due.
func (c *credential) age(r rules, at func(time.Time) bool) (ipc.State, cause) {
	source := c.setting.Source != nil
	if source && c.renewal.fails > 0 && c.token.expiry == ipc.ExpiryKnown {
		// What failed before it was time, because somebody asked, does not count, nor
		// does it that a file is not refreshed before kubelet does that, at four fifths.
		due := c.renewAt(r)
		if l := lifetime(c.token); c.renewal.why == errSame.Why {
			due = later(due, born(c.token).Add(l-l/3))
		}
		if at(later(c.renewal.since, due).Add(lifetime(c.token) / 6)) {
			return ipc.StateDue, causeSource
		}
	}
	if !source {
		if last, ok := c.last(); ok && at(last.expires.Add(-r.warning(lifetime(last)))) {
			return ipc.StateDue, causeEnding
		}
	}
	if old := c.token.oldAt(r); !old.IsZero() && at(old.Add(1)) {
		return ipc.StateDue, causeAge
	}
	return ipc.StateValid, 0
}

// act chooses what is to be done in that state.
func (c *credential) act(now time.Time, r rules, d decision, at func(time.Time) bool) action {
	retry := c.renewal.retry(now, c.token.key)
	if d.usable() {
		source, next := c.setting.Source != nil, c.successor(now)
		if !source && next != nil && next.expiry == ipc.ExpiryKnown {
			at(next.expires.Add(-useless + 1)) // then it is another one's turn
		}
		switch {
		case source && (c.news || at(later(c.renewAt(r), retry))):
			if next != nil && c.renewal.fails%2 == 1 && at(c.promoteAt(now, r, *next)) {
				return promote // the source fails, and time is short: by turns
			}
			return renew
		case !source && next != nil && at(later(c.promoteAt(now, r, *next), retry)):
			return promote
		case c.unproved() && at(c.probes.next(now)):
			return probe
		}
		return rest
	}
	ready := func(t time.Time) bool { return t.IsZero() || at(t) }
	switch what, sure := c.resort(now); {
	case what != rest && sure:
		return what
	case what == promote && ready(retry):
		return promote
	case what == renew && ready(retry) && ready(c.settled(now)):
		return renew
	case d.state == ipc.StateRefused && at(c.probes.next(now)):
		return probe
	}
	return rest
}

// resort is what gives a token to a credential that has none to give out. What
// is sure needs nothing but what is in memory already, so that it is worth it
// whatever has failed before.
func (c *credential) resort(now time.Time) (what action, sure bool) {
	next, source := c.successor(now), c.setting.Source != nil
	switch {
	case next != nil && !next.secret.Empty():
		return promote, true
	case source && (c.news || c.pending != nil && c.pending.refused == "" && !expired(now, *c.pending)):
		return renew, true
	case next != nil && (!source || c.renewal.fails%2 == 0): // by turns: the store may be what fails
		return promote, false
	case source:
		return renew, false
	}
	return rest, false
}

// unproved reports whether the token came from the source when nobody could say
// whose it is, and nothing else was left.
func (c *credential) unproved() bool {
	return c.setting.Source != nil && c.token.verified.IsZero() && c.token.identity != (ipc.Identity{})
}

// settled is when the source may be asked for the token after the current one,
// even if that one is good for nothing.
func (c *credential) settled(now time.Time) time.Time {
	if c.token.added.After(now) {
		return now // the clock was set back
	}
	return c.token.added.Add(settle)
}

// renewAt is when the source is asked for the token after the current one: at two
// thirds of its lifetime or up to a tenth of that earlier, so that many that came
// together do not go together.
func (c *credential) renewAt(r rules) time.Time {
	t, when := c.token, c.token.oldAt(r)
	if t.expiry == ipc.ExpiryKnown {
		l := lifetime(t)
		spread := time.Duration(jitter(t.key, r.host) * float64(l) / 10)
		if c.held {
			when = t.expires.Add(-min(l/6, holdout))
		} else {
			when = Sooner(when, born(t).Add(l-l/3-spread)) // l*2 may be too much for a Duration
		}
	}
	return later(when, t.added.Add(settle))
}

// promoteAt is when next, a standby token, takes over from a token that works. One
// that is too old itself is no cure for age.
func (c *credential) promoteAt(now time.Time, r rules, next token) (when time.Time) {
	if now.Before(next.oldAt(r)) {
		when = c.token.oldAt(r)
	}
	if t := c.token; t.expiry == ipc.ExpiryKnown {
		when = Sooner(when, t.expires.Add(-max(min(lifetime(t)/6, earliest), latest)))
	}
	return when
}

// oldAt is when the token reaches the age that r allows; zero: never.
func (t token) oldAt(r rules) time.Time {
	if r.maxAge == 0 {
		return time.Time{}
	}
	return born(t).Add(r.maxAge)
}

// successor returns the token that would take over now: the standby token whose
// turn it is, or, where the current one gives nothing, one that gave way and has
// not ended.
func (c *credential) successor(now time.Time) *token {
	gone := c.token.secret.Empty() || expired(now, c.token) || c.token.refused != ""
	for i := range c.standby {
		t := &c.standby[i]
		if !t.secret.Empty() && t.refused == "" && !expired(now, *t) && (gone || outlives(*t, c.token)) {
			return t
		}
	}
	if !gone {
		return nil
	}
	for i := range c.previous {
		t := &c.previous[i]
		// One that the store does not give is asked for again only where nothing else
		// is left to ask.
		had := t.kept() && (t.fault == nil || c.setting.Source == nil)
		if c.token.inStore() { // which gives nothing: neither would it give that one
			had = !t.secret.Empty()
		}
		if had && t.refused == "" && !expired(now, *t) && same(t.identity, c.owner()) {
			return t
		}
	}
	return nil
}

// last returns that one of the current and the standby tokens that ends last; ok
// is false if none is known to end.
func (c *credential) last() (last token, ok bool) {
	endless := false
	c.tokens(func(t *token) bool {
		switch {
		case t.refused != "" || !t.kept():
		case t.expiry != ipc.ExpiryKnown:
			endless = true
		case last.expires.Before(t.expires):
			last = *t
		}
		return true
	})
	return last, !endless && !last.expires.IsZero()
}

// outlives reports whether a ends after b, as far as is known.
func outlives(a, b token) bool {
	if a.expiry != ipc.ExpiryKnown || b.expiry != ipc.ExpiryKnown {
		return true
	}
	return a.expires.After(b.expires)
}

// later is the later one of two instants; the zero time is never.
func later(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) || b.IsZero() {
		return a
	}
	return b
}

// Sooner is the sooner one of two instants; the zero time is never.
func Sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
