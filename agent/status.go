package agent

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// Status implements ipc.Agent.
func (a *Agent) Status(ctx context.Context, r ipc.StatusRequest) (ipc.Status, error) {
	if since, _ := a.locked(); !since.IsZero() {
		r.Inspect = false // it asks nobody anything
	}
	store := a.storeInfo(ctx, r.Inspect)
	if r.Inspect {
		a.catchUp(ctx)
	}
	now := a.Now()
	s := ipc.Status{Agent: a.info(), Store: store, Credentials: []ipc.Credential{}}
	a.mu.RLock()
	s.Config = a.rules.Trouble
	a.mu.RUnlock()
	if a.Audit != nil {
		s.Audit = a.Audit.Trouble()
	}
	if a.Watched != nil && !r.Worst {
		s.Watched = a.Watched()
	}
	creds := a.all()
	if r.Name != "" {
		c, err := a.seek(ctx, r.Name)
		if err != nil {
			return ipc.Status{}, err
		}
		creds = []*credential{c}
	}
	if r.Worst { // a prompt waits, and most are well
		well := func(c *credential) bool { return a.decide(c, now).state == ipc.StateValid && c.unsaved == nil }
		creds = slices.DeleteFunc(creds, well)
	}
	slices.SortFunc(creds, func(x, y *credential) int { return strings.Compare(x.name, y.name) })
	for _, c := range creds {
		s.Credentials = append(s.Credentials, a.describe(c, now))
		if r.CAs && r.Name != "" {
			s.Credentials[0].CAs = a.exactAuthorities(c)
		}
	}
	if r.Worst {
		s.Credentials = Worst(s.Credentials)
	}
	return s, nil
}

// Urgency says how much a credential needs a person, the most where it is least; ok is
// false if it does not.
func Urgency(c ipc.Credential) (rank int, ok bool) {
	worst := []ipc.State{ipc.StateExpired, ipc.StateRefused, ipc.StateEmpty, ipc.StateLocked, ipc.StateDue}
	if rank = slices.Index(worst, c.State); rank >= 0 {
		return rank, true
	}
	return len(worst), c.Unsaved != ""
}

// Worst is that one of the credentials that needs a person most, of several alike the
// one that ends first; an empty list if none does.
func Worst(all []ipc.Credential) []ipc.Credential {
	all = slices.DeleteFunc(slices.Clone(all), func(c ipc.Credential) bool { _, ok := Urgency(c); return !ok })
	slices.SortStableFunc(all, ByUrgency)
	return all[:min(len(all), 1)]
}

// ByUrgency orders credentials, the most urgent first.
func ByUrgency(x, y ipc.Credential) int {
	rx, _ := Urgency(x)
	ry, _ := Urgency(y)
	return cmp.Or(cmp.Compare(rx, ry), ending(x).Compare(ending(y)))
}

// ending is when a token ends, far off where nobody knows.
func ending(c ipc.Credential) time.Time {
	if c.Expires == nil {
		return time.Unix(1<<40, 0)
	}
	return *c.Expires
}

// storeInfo describes the store and what is wrong with it. That it keeps what nobody
// uses any more is nothing to tell, unless somebody asks about the store itself.
func (a *Agent) storeInfo(ctx context.Context, inspect bool) ipc.StoreInfo {
	t := a.trouble.Load()
	switch {
	case t != nil: // it is asked again and again
	case inspect:
		t = a.inspect(ctx)
	case a.owes():
		t = a.silent.Load()
	}
	info := a.Store.Info()
	if t == nil {
		return info
	}
	info.Trouble = t.String()
	if s, ok := errors.AsType[*Silence](t.err); ok {
		info.Silent = &s.Since
	}
	return info
}

// describe says how a credential is, without its secret.
func (a *Agent) describe(c *credential, now time.Time) ipc.Credential {
	d := a.decide(c, now)
	servers := c.bindings()
	if servers == nil {
		servers = []ipc.Server{}
	}
	return ipc.Credential{
		Name: c.name, Revision: c.revision, ID: c.token.id, Label: c.token.label(), State: d.state, Reason: a.reason(c, d), Hint: strings.TrimSuffix(a.advice(c, d), seen),
		Expiry: c.token.expiry, Expires: known(c.token.expires), Created: known(c.token.created),
		Added: c.token.added, Saved: c.token.saved && (!c.token.missing() || a.far() != ""), Servers: servers,
		Identity: c.token.identity, Verified: known(c.token.verified),
		NoClusterInfo: c.noClusterInfo, Held: c.held, Refusal: c.refusal.Load(),
		Source: c.source(now), Renewal: a.renewal(c, now), Unsaved: c.unsavedWords(),
		Standby: c.waiting(now), Retiring: c.listed(now), LastUse: a.lastUse(c.name),
	}
}

// renewal says how the source of c does; nil where a person is the source.
func (a *Agent) renewal(c *credential, now time.Time) *ipc.Renewal {
	if c.setting.Source == nil && c.renewal.fails == 0 {
		return nil
	}
	r := &ipc.Renewal{}
	next := c.renewal.retry(now, c.token.key)
	if c.setting.Source != nil {
		next = later(c.renewAt(a.policy(c.name)), next)
	}
	r.Next = known(next)
	if c.renewal.fails > 0 {
		r.Since, r.Class, r.Error = known(c.renewal.since), string(c.renewal.class), c.renewal.why
	}
	return r
}

// waiting are the standby tokens of c, as people see them.
func (c *credential) waiting(now time.Time) []ipc.Standby {
	var out []ipc.Standby
	for _, t := range c.standby {
		if expired(now, t) {
			continue
		}
		out = append(out, ipc.Standby{ID: t.id, Label: t.label(), Expiry: t.expiry, Expires: known(t.expires), Saved: t.saved, Refused: t.refused})
	}
	return out
}

// known is nil for the zero time: what is not known is left out of the JSON.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
