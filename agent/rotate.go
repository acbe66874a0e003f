package agent

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/cwagent/cwagent/ipc"
)

// Rotate implements ipc.Agent.
func (a *Agent) Rotate(ctx context.Context, r ipc.RotateRequest) (ipc.RotateReply, error) {
	c, err := a.seek(ctx, r.Name)
	if err != nil {
		return ipc.RotateReply{}, err
	}
	if c.token.inStore() {
		c = a.await(ctx, c)
	}
	was, reply := c.token, ipc.RotateReply{From: c.source(a.Now())}
	switch {
	case r.Rollback:
		reply.From, err = rolledBack, a.rollback(ctx, c)
	case c.setting.Source != nil:
		err = a.demand(ctx, c.name, order{asked: true, first: renew, byHand: true, anyOwner: r.AllowIdentityChange})
	case reply.From == fromStandby && c.successor(a.Now()) == nil:
		err = errNoStandby(c.name)
	case reply.From == fromStandby:
		err = a.demand(ctx, c.name, order{asked: true, first: promote, byHand: true})
	default:
		err = &SourceError{Why: "a person makes its next token", Hint: "cwagent rotate " + c.name + " guides you; cwagent add " + c.name + " --replace takes it"}
	}
	if err != nil {
		return ipc.RotateReply{}, sourceError(c.name, err)
	}
	if c, err = a.lookup(c.name); err != nil {
		return ipc.RotateReply{}, err
	}
	if c.token.key == was.key && reply.From == fromStandby {
		return ipc.RotateReply{}, sourceError(c.name, errNoStandby(c.name))
	}
	reply.Credential = a.describe(c, a.Now())
	if len(c.previous) > 0 && c.previous[0].key == was.key {
		gone := c.retiring(c.previous[0])
		reply.Retired = &gone
	}
	return reply, nil
}

// errNoStandby is for a person who wants the next token and has none that would do.
func errNoStandby(name string) error {
	return &SourceError{
		Why:  "no standby token is alive and lives longer than the one in use",
		Hint: "make another one: cwagent rotate " + name + " --paste, or ahead: cwagent add " + name + " --standby",
	}
}

// sourceError is err as a person reads it.
func sourceError(name string, err error) error {
	var s *SourceError
	if !errors.As(err, &s) {
		return err
	}
	e := &ipc.Error{Code: ipc.CodeSource, What: "credential " + quote(name) + ": " + s.Why, Hint: s.Hint}
	if e.Hint == "" {
		e.Hint = "the token that it has is kept; cwagent status " + name + " shows its source"
	}
	return e
}

// demand has something done about a credential that a person waits for. What is
// under way for another reason is waited for first.
func (a *Agent) demand(ctx context.Context, name string, o order) error {
	for {
		f, fresh := a.fly(name, o)
		if f == nil { // the agent does not run: then nothing else does it
			return a.advance(ctx, name, o)
		}
		select {
		case <-f.done:
			if fresh {
				return f.err
			}
		case <-ctx.Done():
			return &ipc.Error{
				Code: ipc.CodeRenewing, What: "credential " + quote(name) + ": it is still being worked on",
				Hint: "it goes on; cwagent status " + name + " shows how",
			}
		}
	}
}

// rollback goes back to the token that gave way last, of those that can be had:
// one that was refused is asked about again only where there is no other.
func (a *Agent) rollback(ctx context.Context, c *credential) error {
	now := a.Now()
	had := func(t token) bool { return t.kept() && !expired(now, t) }
	i := slices.IndexFunc(c.previous, func(t token) bool { return had(t) && t.refused == "" })
	if i < 0 {
		i = slices.IndexFunc(c.previous, had)
	}
	if i < 0 {
		return &SourceError{Class: Denied, Why: "there is no token to go back to", Hint: "cwagent retired lists those that gave way"}
	}
	return a.promoteThis(ctx, c, c.previous[i], rolledBack)
}

// Retired implements ipc.Agent.
func (a *Agent) Retired(ctx context.Context, r ipc.RetiredRequest) (ipc.RetiredReply, error) {
	if r.Done != "" {
		if err := a.confirm(ctx, r.Done); err != nil {
			return ipc.RetiredReply{}, err
		}
	}
	all := a.all()
	slices.SortFunc(all, func(x, y *credential) int { return strings.Compare(x.name, y.name) })
	reply, now := ipc.RetiredReply{Tokens: []ipc.Retiring{}}, a.Now()
	for _, c := range all {
		reply.Tokens = append(reply.Tokens, c.listed(now)...)
	}
	return reply, nil
}

// confirm takes the token of that public id or label from the list of those that
// gave way, and from the store.
func (a *Agent) confirm(ctx context.Context, which string) error {
	done, err := a.changing(ctx)
	if err != nil {
		return err
	}
	defer done()
	now := a.Now()
	is := func(t token) bool {
		return !expired(now, t) && (t.id == which || strings.TrimPrefix(t.label(), "#") == strings.TrimPrefix(which, "#"))
	}
	var changed []*credential
	for _, c := range a.all() {
		if slices.ContainsFunc(c.previous, is) { // one token may be known under two names
			next := c.same()
			next.previous = slices.DeleteFunc(slices.Clone(c.previous), is)
			changed = append(changed, next)
		}
	}
	if len(changed) == 0 {
		return &ipc.Error{
			Code: ipc.CodeNotFound,
			What: "retired token " + quote(shownName(which)) + ": no such token",
			Hint: "cwagent retired lists them",
		}
	}
	if err := a.write(a.page(changed...)); err != nil {
		return err
	}
	for _, next := range changed {
		a.put(next)
		a.Log.InfoContext(ctx, "retired token is done with", "credential", next.name, "id", shownName(which))
	}
	a.discard(ctx)
	return nil
}

// lender returns what implements Occasion.Lend for the credential called borrower.
func (a *Agent) lender(borrower string) func(ctx context.Context, name, url string) (Loan, error) {
	return func(ctx context.Context, name, url string) (Loan, error) {
		c, err := a.lookup(name)
		if err != nil {
			return Loan{}, err
		}
		if name != borrower && !a.decide(c, a.Now()).usable() { // its own would wait for itself
			c = a.wait(ctx, c, false)
		}
		if _, err := a.usable(c, a.Now()); err != nil {
			return Loan{}, err
		}
		return a.loan(c, url)
	}
}

// loan lends the token of c for the server at url, or for its only one.
func (a *Agent) loan(c *credential, url string) (Loan, error) {
	servers := c.bindings()
	if url != "" {
		s, err := Canonical(ipc.Server{URL: url})
		if err != nil {
			return Loan{}, err
		}
		servers = slices.DeleteFunc(slices.Clone(servers), func(b ipc.Server) bool { return b.URL != s.URL })
	}
	if len(servers) != 1 {
		what := "it is bound to several servers, or to none"
		if url != "" {
			what = "not bound to " + quote(url) + ", or in several ways"
		}
		return Loan{}, &ipc.Error{
			Code: ipc.CodeNotBound, What: "credential " + quote(c.name) + ": " + what,
			Hint: "name one of its servers in the source; cwagent servers " + c.name + " shows them",
		}
	}
	return Loan{Token: c.token.secret, Server: servers[0], CA: a.authorities(c, nil)[servers[0].CASHA256]}, nil
}

// renewAnew is renew after a token that had waited for its verdict was turned down: that
// says nothing of what the source gives by now, and whoever waits has waited enough.
func (a *Agent) renewAnew(ctx context.Context, name string, o order) error {
	c, err := a.lookup(name)
	if err != nil || c.setting.Source == nil {
		return err
	}
	return a.renew(ctx, c, o)
}
