package agent

import (
	"context"
	"slices"
	"strings"

	"github.com/cwagent/cwagent/ipc"
)

// A Holding is a token that a credential has.
type Holding struct {
	Credential string
	Current    bool   // it is the one in use, not one that gave way or waits
	Saved      bool   // it, and the one in use, outlive the agent
	Brief      bool   // one of these is in memory only, on purpose
	ID         string // public id
	Label      string // as ipc.Credential has it
}

// Recognize returns the credentials that have the token s, those that use it
// before those to which it gave way or for which it waits, by name. It looks at
// what is in memory and asks no store: see Former.
func (a *Agent) Recognize(s ipc.Secret) []Holding {
	creds := a.all()
	slices.SortFunc(creds, func(x, y *credential) int { return strings.Compare(x.name, y.name) })
	var current, other []Holding
	for _, c := range creds {
		if !s.Empty() && c.token.secret.Equal(s) {
			current = append(current, c.holding(c.token, true))
			continue
		}
		for _, t := range slices.Concat(c.standby, c.previous) {
			if !s.Empty() && t.secret.Equal(s) {
				other = append(other, c.holding(t, false))
				break
			}
		}
	}
	return append(current, other...)
}

func (c *credential) holding(t token, current bool) Holding {
	saved := func(t token) bool { return t.saved && !t.missing() }
	return Holding{Credential: c.name, Current: current, Saved: saved(t) && saved(c.token), Brief: t.brief || c.token.brief, ID: t.id, Label: t.label()}
}

// Former reports whether s is one of the tokens that gave way in the credential of
// that name, also where it has to be read from the store for that. id is the
// public id of s, if known. An error means that this cannot be found out: a token
// that gave way is not kept, or the store does not give it.
func (a *Agent) Former(ctx context.Context, name string, s ipc.Secret, id string) (h Holding, former bool, err error) {
	c, err := a.lookup(name)
	if err != nil {
		return Holding{}, false, err
	}
	for _, t := range c.previous {
		secret := t.secret
		switch {
		case t.id != "" && id != "" && t.id != id:
			continue
		case t.inStore():
			get, cancel := context.WithTimeout(ctx, storeCall)
			var fault error
			secret, fault = a.Store.Get(get, t.key)
			cancel()
			if fault != nil && err == nil {
				err = &ipc.Error{Code: ipc.CodeStore, What: "a token of credential " + quote(name) + " that gave way cannot be compared: " + fault.Error(),
					Hint: "cwagent status shows the store"}
			}
		case secret.Empty() && err == nil && !expired(a.Now(), t): // one that has ended would be found dead
			err = &ipc.Error{Code: ipc.CodeInvalid, What: "credential " + quote(name) + " had a token that is not kept any more: this may be it",
				Hint: "cwagent retired lists it: --done takes it off the list once it is deleted in the Console"}
		}
		if !secret.Empty() && secret.Equal(s) {
			return c.holding(t, false), true, nil
		}
	}
	return Holding{}, false, err
}

// formerly returns the token that r is about where a credential has had it before and
// is bound to all of its servers: a dead token must not bind the live one to a
// server that only a file names.
func (a *Agent) formerly(ctx context.Context, r ipc.AddRequest, servers []ipc.Server) *ipc.Retiring {
	if a.holder(r.Secret, "") != "" {
		return nil
	}
	creds := slices.DeleteFunc(a.all(), func(c *credential) bool {
		if len(c.previous) == 0 {
			return true
		}
		bound := c.bindings()
		return slices.ContainsFunc(servers, func(s ipc.Server) bool { return !slices.Contains(bound, s) })
	})
	slices.SortFunc(creds, func(x, y *credential) int { return strings.Compare(x.name, y.name) })
	for _, c := range creds {
		h, former, _ := a.Former(ctx, c.name, r.Secret, "") // not to be known now is not to be so
		for _, t := range c.previous {
			if former && t.label() == h.Label {
				gone := c.retiring(t)
				return &gone
			}
		}
	}
	return nil
}
