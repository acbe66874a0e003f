package agent

import (
	"slices"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// A replaced token leaves the store when the one that took over from it is saved
// and was found alive. Until then, or until its own expiry, it is kept there as a
// previous one: a person may have replaced the only good token by one for today,
// or by garbage that nobody was asked about.

// succeeds notes in c what is to be kept of old, the credential that c is to
// replace. What c has of old by now is judged, too.
func (c *credential) succeeds(old *credential, now time.Time) {
	if old != nil && old.saved && !old.missing() && old.token.key != c.token.key {
		last := old.token
		last.secret, last.fault = ipc.Secret{}, nil // it is not served
		c.previous = slices.Concat([]token{last}, c.previous)
	}
	c.retire(now)
}

// retire drops those previous tokens of c that nobody can need any more, and
// reports whether there were any. Their keys are the caller's to look after.
func (c *credential) retire(now time.Time) bool {
	had := len(c.previous)
	if c.saved && !c.token.verified.IsZero() && c.token.refused == "" {
		c.previous = nil
	}
	c.previous = slices.DeleteFunc(slices.Clone(c.previous), func(t token) bool { return expired(now, t) })
	return len(c.previous) < had
}

// keys are the names in the store of all tokens of c; c may be nil.
func (c *credential) keys() []string {
	if c == nil {
		return nil
	}
	var keys []string
	if c.saved {
		keys = append(keys, c.token.key)
	}
	for _, t := range c.previous {
		keys = append(keys, t.key)
	}
	return keys
}

// fallBack gives a credential whose token was in memory only, and is gone, the
// newest of its previous tokens that is alive by its expiry, one that was found
// alive before one that nobody was ever asked about.
func (c *credential) fallBack(now time.Time) bool {
	if c.saved {
		return false
	}
	i := slices.IndexFunc(c.previous, func(t token) bool {
		return !expired(now, t) && !t.verified.IsZero() && t.refused == ""
	})
	if i < 0 {
		i = slices.IndexFunc(c.previous, func(t token) bool { return !expired(now, t) })
	}
	if i < 0 {
		return false
	}
	c.token, c.saved, c.ephemeral, c.fellBack = c.previous[i], true, false, true
	c.previous = slices.Delete(slices.Clone(c.previous), i, i+1)
	return true
}

const fellBackReason = "its newer token was in memory only, and the agent has been restarted since: this is the one before"

// expirePrevious moves previous tokens that are past their expiry to the
// orphans. The caller is the one who may change.
func (a *Agent) expirePrevious() {
	now := a.Now()
	a.mu.RLock()
	var changed []*credential
	for _, c := range a.creds {
		if len(c.previous) == 0 {
			continue
		}
		next := c.clone()
		next.revision = c.revision // requests get what they got
		if next.retire(now) {
			changed = append(changed, next)
		}
	}
	a.mu.RUnlock()
	for _, next := range changed {
		old, err := a.lookup(next.name)
		if err != nil {
			continue
		}
		b := a.page(next, "")
		b.release(old, next)
		if err := a.write(b); err != nil {
			a.Log.Warn("state not written", "error", err)
			return
		}
		a.put(next)
	}
}

// release makes orphans of the keys of old that next does not have, and adopts
// those that it has; either may be nil.
func (b *Book) release(old, next *credential) {
	keep := next.keys()
	for _, key := range old.keys() {
		if !slices.Contains(keep, key) {
			b.orphan(key)
		}
	}
	for _, key := range keep {
		b.adopt(key)
	}
}

// owner is whose token c has, as far as was ever found out: a token that nobody
// was asked about does not make the owner of the one before forgotten.
func (c *credential) owner() ipc.Identity {
	for _, t := range append([]token{c.token}, c.previous...) {
		if t.identity != (ipc.Identity{}) {
			return t.identity
		}
	}
	return ipc.Identity{}
}
