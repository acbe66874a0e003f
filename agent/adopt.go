package agent

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"reflect"
	"slices"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// A guise is the record of a credential whose current token is in the memory of
// another agent only, or was in that of one that has ended: here the one before is
// used. As long as nothing else is known of it here, what was written stays.
type guise struct {
	written Record
	read    Record // as it would be written of what is used here
}

// host is the machine whose agent has that token.
func (g *guise) host() string {
	if g == nil {
		return ""
	}
	return g.written.Host
}

// written is the record of c for the ledger.
func (c *credential) written() Record {
	r := c.record()
	if c.guise != nil && reflect.DeepEqual(r, c.guise.read) {
		return c.guise.written
	}
	return r
}

// revive makes a credential of what the ledger has of it; its secrets, if there are
// any, are still in the store.
func revive(r Record, now time.Time) *credential {
	c := fromRecord(r)
	if c.fallBack(now) {
		c.guise = &guise{r, c.record()}
	}
	return c
}

// adopt makes b, which somebody else has written, the book, and has memory agree
// with it. What nobody else has written about stays as it is in memory. The caller
// is the one who may change.
func (a *Agent) adopt(b Book) {
	was, is, store := a.book.byName(), b.byName(), a.book.Store
	a.noteBook(b)
	if b.Store != store && b.Store != "" {
		a.followTo(b.Store)
	}
	a.mu.Lock()
	cas := maps.Clone(b.CAs)
	if cas == nil {
		cas = map[string][]byte{}
	}
	maps.Copy(cas, a.cas)
	a.cas = cas
	a.mu.Unlock()
	for name, r := range is {
		if old, ok := was[name]; !ok || !old.equal(r) {
			a.adoptRecord(r)
		}
	}
	for name := range was {
		if _, ok := is[name]; !ok {
			a.adoptLoss(name)
		}
	}
	a.override()
	if len(b.Orphans) > 0 || len(a.unread()) > 0 {
		Signal(a.fresh)
	}
}

func (b *Book) byName() map[string]Record {
	all := make(map[string]Record, len(b.Credentials))
	for _, r := range b.Credentials {
		all[r.Name] = r
	}
	return all
}

// equal reports whether two records are written alike.
func (r Record) equal(s Record) bool {
	x, err := json.Marshal(r)
	y, err2 := json.Marshal(s)
	return err == nil && err2 == nil && string(x) == string(y)
}

// adoptRecord puts what another agent has written about a credential in its place.
func (a *Agent) adoptRecord(r Record) {
	setting, now := a.settingOf(r.Name), a.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	c, next := a.creds[r.Name], revive(r, now)
	level := slog.LevelInfo
	switch {
	case next.blank() && (c == nil || c.blank()):
		return // there because of a config only
	case c == nil:
		next.setting = setting
	default:
		next.inherit(c, r, now)
		if c.record().asked().equal(next.record().asked()) { // each asks now and then
			next.revision, level = c.revision, slog.LevelDebug
			next.rendered.Store(c.rendered.Load())
		}
	}
	a.putLocked(next)
	a.Log.Log(context.Background(), level, "changed by another agent", "credential", r.Name, "id", next.token.id)
}

// asked is r without what comes of asking about a token that is alive.
func (r Record) asked() Record {
	r.Token.Verified, r.Token.Identity = nil, ipc.Identity{}
	return r
}

// inherit gives next, which is what another agent has written about c, what only
// this one has: what it has read from the store already, and what it could not save.
func (next *credential) inherit(c *credential, r Record, now time.Time) {
	next.setting, next.news, next.vigil, next.bunch = c.setting, c.news, c.vigil, c.bunch
	next.asked.Store(c.asked.Load())
	next.refusal.Store(c.refusal.Load())
	next.settle()
	mine := map[string]token{} // what next does not have yet, by label
	for _, t := range slices.Concat([]token{c.token}, c.standby, c.previous) {
		if t.had() {
			mine[t.label()] = t
		}
	}
	known := maps.Clone(mine)
	for _, t := range slices.Concat([]*token{&next.token}, pointers(next.standby), pointers(next.previous)) {
		if was, ok := mine[t.label()]; ok {
			t.recall(was)
			delete(mine, t.label())
		}
	}
	mine[c.token.label()] = token{} // its place is decided below
	for _, t := range c.standby {
		if left := mine[t.label()]; left.only() {
			next.standby = append(next.standby, left)
		}
	}
	slices.SortStableFunc(next.standby, byTurn)
	next.seat(c, r, known, now)
	for _, t := range c.previous {
		if left := mine[t.label()]; left.only() && !expired(now, left) {
			next.previous = append(next.previous, left)
		}
	}
	if next.token.label() == c.token.label() {
		next.pending, next.renewal, next.probes, next.unsaved = c.pending, c.renewal, c.probes, c.unsaved
	}
	if next.guise != nil {
		next.guise = &guise{r, next.record()}
	}
}

// seat decides which token is the current one where that of c is here only: it
// stays, unless another agent has had a new one take over, or a person went back.
// Whichever gives way is kept.
func (next *credential) seat(c *credential, r Record, known map[string]token, now time.Time) {
	ours := c.token
	if !ours.only() || next.token.label() == ours.label() {
		return
	}
	next.previous = slices.DeleteFunc(next.previous, func(t token) bool { return t.label() == ours.label() })
	theirs := next.token
	_, older := known[theirs.label()]
	if ours.refused != "" || r.Held || theirs.saved && !older {
		ours.retired = now
		next.previous = slices.Concat([]token{ours}, next.previous)
		return
	}
	if next.token = ours; theirs.saved || theirs.api {
		theirs.retired = now
		next.previous = slices.Concat([]token{theirs}, next.previous)
	}
	next.guise, next.fellBack, next.held = nil, false, c.held
}

// only reports whether t is in memory and nowhere else.
func (t token) only() bool { return !t.saved && !t.secret.Empty() }

// recall takes over what was, the same token, has beside its record.
func (t *token) recall(was token) {
	if was.saved && !t.saved {
		return // another agent has removed it from the store
	}
	t.secret, t.fault, t.unknown = was.secret, was.fault, was.unknown
	if !t.saved {
		t.key, t.brief, t.host = was.key, was.brief, was.host
	}
}

func pointers(list []token) (all []*token) {
	for i := range list {
		all = append(all, &list[i])
	}
	return all
}

// adoptLoss forgets a credential that another agent has forgotten, but for tokens
// that are in memory here only: nobody there can have meant those.
func (a *Agent) adoptLoss(name string) {
	c, err := a.lookup(name)
	if err != nil || c.blank() {
		return
	}
	var left []token
	c.tokens(func(t *token) bool {
		if t.only() {
			left = append(left, *t)
		}
		return true
	})
	if len(left) == 0 {
		a.drop(c)
		a.Log.Info("forgotten by another agent", "credential", name)
		return
	}
	a.revise(name, func(next *credential) {
		next.token, next.standby, next.previous = left[0], left[1:], nil
		next.guise, next.revision = nil, 0
		next.rendered.Store(nil)
	})
	a.Log.Warn("forgotten by another agent, and kept: its token is in memory here only", "credential", name)
}

// noteBook makes b what is known to be in the ledger.
func (a *Agent) noteBook(b Book) {
	a.book, a.unsure = b, false
	a.keeper.Store(b.Host)
}
