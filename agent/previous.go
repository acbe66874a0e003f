package agent

import (
	"slices"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// A token that gives way stays until it ends by itself or a person says that it
// is done with: a person may have replaced the only good token by one for today,
// or by garbage that nobody was asked about, and a new token may be refused an
// hour later. CoreWeave's tokens cannot be revoked by a program, so the list of
// those that gave way also is what a person still has to delete in the Console.

// mostKept is how many tokens that gave way are kept in the store for each
// credential. Of those beyond only what a person has to delete is still known.
const mostKept = 4

// promote returns c with t as its token; the one before gives way.
func (c *credential) promote(t token, now time.Time) *credential {
	next := c.clone()
	// Memory was meant for the token before alone where there is a saved one.
	t.brief = t.brief || c.memoryOnly()
	next.take(&t)
	if old := c.token; old.kept() && !t.is(old) {
		old.retired, old.fault, old.unknown = now, nil, old.inStore()
		next.previous = slices.Concat([]token{old}, next.previous)
	}
	t.retired, t.unknown, t.fault = time.Time{}, false, nil
	next.token = t
	next.pending, next.renewal, next.probes, next.unsaved = nil, renewal{}, probes{}, nil
	next.fellBack, next.held = false, false
	next.retire(now)
	return next
}

// take takes t out of the standby tokens and out of those that gave way. What
// rests in the store already need not be saved again, and must not leave it before
// it is.
func (c *credential) take(t *token) {
	here := func(o token) bool {
		if o.key != t.key && !t.is(o) {
			return false
		}
		if o.saved && !t.saved && !t.brief {
			t.key, t.saved = o.key, true
		}
		return true
	}
	if t.is(c.token) {
		here(c.token)
	}
	c.standby = slices.DeleteFunc(slices.Clone(c.standby), here)
	c.previous = slices.DeleteFunc(slices.Clone(c.previous), here)
}

// is reports whether both are known to be the same secret.
func (t token) is(o token) bool { return !t.secret.Empty() && t.secret.Equal(o.secret) }

// memoryOnly reports whether a new token of c, too, is meant to be in memory only:
// its token is, and none rests in the store.
func (c *credential) memoryOnly() bool { return c.token.brief && !c.trusts() }

// retire drops what has ended from the standby tokens and from those that gave
// way, and from the store
// those that are too many, and reports whether there were any.
func (c *credential) retire(now time.Time) bool {
	changed := false
	var left []token
	for _, t := range c.previous {
		if expired(now, t) {
			changed = true
			continue
		}
		if t.had() && c.before(now, t) >= mostKept {
			t.saved, t.secret, changed = false, ipc.Secret{}, true
		}
		if t.kept() || t.api {
			left = append(left, t)
		}
	}
	c.previous = left
	waits := slices.DeleteFunc(slices.Clone(c.standby), func(t token) bool { return expired(now, t) })
	changed = changed || len(waits) < len(c.standby)
	c.standby = waits
	return changed
}

// had reports whether t is in memory, or in the store as far as is known.
func (t token) had() bool { return t.saved || !t.secret.Empty() }

// before counts the tokens that gave way and are to be kept before t: those that
// nobody has refused before those that somebody has, and then the newer ones.
func (c *credential) before(now time.Time, t token) (n int) {
	newer := true // the newest come first
	for _, o := range c.previous {
		if o.key == t.key {
			newer = false
			continue
		}
		alike := (o.refused == "") == (t.refused == "")
		if o.had() && !expired(now, o) && (alike && newer || !alike && o.refused == "") {
			n++
		}
	}
	return n
}

// fallBack gives a credential whose token was in memory only, and is gone, the
// newest of its previous tokens that is alive by its expiry, one that was found
// alive before one that nobody was ever asked about.
func (c *credential) fallBack(now time.Time) bool {
	if c.token.saved {
		return false
	}
	good := func(t token) bool { return t.saved && !expired(now, t) && t.refused == "" }
	i := slices.IndexFunc(c.previous, func(t token) bool { return good(t) && !t.verified.IsZero() })
	if i < 0 {
		i = slices.IndexFunc(c.previous, good)
	}
	if i < 0 {
		return false
	}
	lost := c.token
	c.token, c.fellBack = c.previous[i], true
	c.token.retired = time.Time{}
	c.previous = slices.Delete(slices.Clone(c.previous), i, i+1)
	if lost.api { // nobody has it any more, and it lives
		lost.retired = now
		c.previous = slices.Insert(c.previous, 0, lost)
	}
	return true
}

// misses notes that the store does not give a token that is not in use.
func (a *Agent) misses(name, key string, err error) {
	a.revise(name, func(next *credential) {
		next.previous = slices.Clone(next.previous)
		for i := range next.previous {
			if t := &next.previous[i]; t.key == key {
				t.fault = t.fault.again(err, a.Now())
			}
		}
	})
}

const fellBackReason = "its newer token was in memory only, and the agent has been restarted since: this is the one before"

// expirePrevious moves tokens not in use that are past their expiry, or too many,
// to the orphans. The caller is the one who may change.
func (a *Agent) expirePrevious() {
	now := a.Now()
	var changed []*credential
	for _, c := range a.all() {
		next := c.same()
		if next.retire(now) {
			changed = append(changed, next)
		}
	}
	if len(changed) == 0 {
		return
	}
	for _, next := range changed {
		a.put(next)
	}
	if err := a.write(a.page()); err != nil {
		a.Log.Warn("state not written", "error", err)
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

// retiring is t as people see it.
func (c *credential) retiring(t token) ipc.Retiring {
	return ipc.Retiring{
		Credential: c.name, ID: t.id, Label: t.label(), Since: t.retired, Expiry: t.expiry, Expires: known(t.expires),
		Kept: t.kept(), Delete: t.api && t.refused == "", // a refused one is dead already
		Refused: t.refused,
	}
}

// listed are the tokens of c that gave way, as people see them.
func (c *credential) listed(now time.Time) []ipc.Retiring {
	var out []ipc.Retiring
	for _, t := range c.previous {
		current := t.id != "" && t.id == c.token.id // it could not be compared yet
		if !expired(now, t) && !current && (t.kept() || t.api) {
			out = append(out, c.retiring(t))
		}
	}
	return out
}
