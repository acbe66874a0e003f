package agent

import (
	"cmp"
	"context"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// longestProgram bounds the name of a program in the log; file systems allow as much.
const longestProgram = 255

// Token implements ipc.Agent.
func (a *Agent) Token(ctx context.Context, r ipc.TokenRequest) (ipc.Secret, error) {
	c, err := a.seek(ctx, r.Name)
	if err != nil {
		return ipc.Secret{}, err
	}
	if _, err := a.usable(c, a.Now()); err != nil {
		c = a.wait(ctx, c, false)
	}
	if _, err := a.usable(c, a.Now()); err != nil && (!r.Dead || c.token.secret.Empty()) {
		return ipc.Secret{}, err
	}
	if r.MinLeft > 0 && !r.Dead {
		if c, err = a.lasting(ctx, c, r.MinLeft); err != nil {
			return ipc.Secret{}, err
		}
	}
	a.given.Store(a.Now().UnixNano())
	switch program := shownName(r.For[:min(len(r.For), longestProgram)]); {
	case program == "":
		a.Log.InfoContext(ctx, "token revealed", "credential", r.Name)
	case r.Keep:
		a.Log.InfoContext(ctx, "kubeconfig given to a program", "credential", r.Name, "command", program)
	default:
		a.Log.InfoContext(ctx, "token given to a program", "credential", r.Name, "command", program)
	}
	if r.Keep {
		return ipc.Secret{}, nil
	}
	return c.token.secret, nil
}

// lasts reports whether the token of c can be given out and lives that long, as far
// as its end is known.
func (a *Agent) lasts(c *credential, now time.Time, left time.Duration) bool {
	return a.decide(c, now).usable() && c.token.lasts(now, left)
}

func (t token) lasts(now time.Time, left time.Duration) bool {
	return left <= 0 || t.expiry != ipc.ExpiryKnown || t.expires.Sub(now) >= left
}

// lasting waits until the token of c, which can be given out, is one that lives that
// long, if such a one can be had unattended; all who want that wait for one renewal.
// What has just been tried in vain is not tried again.
func (a *Agent) lasting(ctx context.Context, c *credential, left time.Duration) (*credential, error) {
	for {
		now := a.Now()
		if a.lasts(c, now, left) {
			return c, nil
		}
		if _, err := a.usable(c, now); err != nil {
			return c, err
		}
		what := c.longer(now, left)
		if what == rest {
			return c, a.tooShort(c, now, left)
		}
		f, fresh := a.fly(c.name, order{asked: true, first: what, left: left})
		if f == nil {
			return c, a.tooShort(c, now, left)
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			e := a.tooShort(c, now, left)
			e.Code, e.Hint = ipc.CodeRenewing, "the next one is on its way: try again in a moment"
			return c, e
		}
		is, err := a.lookup(c.name)
		if err != nil {
			return c, err // forgotten
		}
		if now = a.Now(); fresh && !a.lasts(is, now, left) {
			return is, a.tooShort(is, now, left) // it was done, and does not do
		}
		c = is
	}
}

// longer is what gets c a token that lives that long; rest if nothing does without a
// person. A source whose last token is a moment old would mint another one like it.
func (c *credential) longer(now time.Time, left time.Duration) action {
	what := c.urge(now)
	if next := c.successor(now); what == promote && !next.lasts(now, left) {
		what = rest
		if c.setting.Source != nil {
			what = renew
		}
	}
	if what == renew && now.Before(c.settled(now)) {
		return rest
	}
	return what
}

// tooShort says why c has no token that lives that long.
func (a *Agent) tooShort(c *credential, now time.Time, left time.Duration) *ipc.Error {
	e := &ipc.Error{
		Code: ipc.CodeExpired,
		What: "credential " + quote(c.name) + ": the token expires at " + instant(c.token.expires) + ", and it is to live for " + shortly(left),
		Hint: "make a new token at " + consolePage + ", then: cwagent rotate " + c.name,
	}
	switch kind, less := c.source(now), "; or have less do, with --min-left"; {
	case kind != "console" && c.renewal.fails > 0:
		e.What += "; " + kind + ": " + c.renewal.why
		e.Hint = cmp.Or(c.renewal.hint, "cwagent status "+c.name+" shows its source") + less
	case c.setting.Source != nil:
		e.Hint = "its source (" + kind + ") gives none that lives for longer" + less
	default:
		e.Hint += less
	}
	return e
}
