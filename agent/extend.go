package agent

import (
	"context"

	"github.com/cwagent/cwagent/ipc"
)

// A source that has nothing new yet will have it when the token is nearer to its
// end; one that says nothing of an end waits for a person.
var (
	errSame        = &SourceError{Class: Transient, Why: "it gives the token that is in use already"}
	errSameForEver = &SourceError{Class: Denied, Why: errSame.Why}
)

// extend is for a source that gave the token that is in use already: it is good
// for longer if the source says so, and else there is nothing new.
func (a *Agent) extend(ctx context.Context, c *credential, t token) error {
	was := c.token
	err := nothingNew(was, t)
	if err == nil && was.refused != "" && t.verified.IsZero() {
		err = errSame // and nobody says that it is alive again
	}
	if err != nil {
		a.revise(c.name, func(next *credential) { next.pending = nil })
		return err
	}
	next := c.same()
	next.pending, next.renewal, next.held = nil, renewal{}, false
	next.token.expiry, next.token.expires, next.token.created, next.token.added = t.expiry, t.expires, t.created, t.added
	if !t.verified.IsZero() {
		next.token.verified, next.token.identity, next.token.refused = t.verified, fuller(was.identity, t.identity), ""
	}
	next.rendered.Store(nil)
	a.put(next)
	if err := a.write(a.page()); err != nil {
		a.Log.Warn("state not written", "credential", c.name, "error", err)
	}
	return nil
}

// nothingNew returns an error if t, which is the very token was, is not said to
// be good for longer.
func nothingNew(was, t token) error {
	switch {
	case was.expiry == ipc.ExpiryKnown && outlives(t, was):
		return nil
	case was.expiry == ipc.ExpiryKnown:
		return errSame
	case t.expiry != ipc.ExpiryKnown:
		return errSameForEver
	}
	return nil
}
