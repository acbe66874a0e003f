package agent

import (
	"context"
	"errors"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// An Exchange gives object storage keys for a token. Its body is agent/coreweave.
type Exchange interface {
	// Keys gets keys for that token, one of CoreWeave's API Access Tokens. It may take
	// as long as ctx lives. Its error is a *SourceError; Denied is what a dead token
	// gets, and one whose owner may have no keys.
	Keys(ctx context.Context, token ipc.Secret) (Keys, error)
}

// Keys are temporary keys for object storage.
type Keys struct {
	Answer  ipc.Secret // as AWS tools read them from a program
	Expires time.Time  // by the clock of this machine
}

// keysWait is how long a request may wait that finds no keys: for the endpoint, for
// whoami after a refusal, and for the token that takes over then. Programs of AWS give
// a credential_process a minute or more.
const keysWait = 25 * time.Second

// Keys implements ipc.Agent.
func (a *Agent) Keys(ctx context.Context, r ipc.KeysRequest) (ipc.Secret, error) {
	ctx, cancel := context.WithTimeout(ctx, keysWait)
	defer cancel()
	answer, err := a.keysOf(ctx, r.Name)
	if err != nil {
		a.Log.WarnContext(ctx, KeysNotGivenOut, "credential", shownName(r.Name), "why", err.Error())
		return ipc.Secret{}, err
	}
	a.given.Store(a.Now().UnixNano())
	a.Log.InfoContext(ctx, KeysGivenOut, "credential", r.Name)
	return answer, nil
}

// keysOf returns the keys of a credential: those in memory, or new ones, for which it
// waits. Where those in memory still serve that is only a moment.
func (a *Agent) keysOf(ctx context.Context, name string) (ipc.Secret, error) {
	for waited := false; ; {
		c, err := a.entitled(ctx, name) // which may have changed while this waited
		if err != nil {
			return ipc.Secret{}, err
		}
		answer, due, first := c.takeKeys(a.Now())
		if first {
			a.look() // from now on they are looked after
		}
		if !due || waited && !answer.Empty() {
			return answer, nil
		}
		over := a.exchange(c)
		switch {
		case over == nil && !answer.Empty():
			return answer, nil
		case over == nil || waited:
			return ipc.Secret{}, a.keyless(c)
		}
		wait := keysWait
		if !answer.Empty() {
			wait = patient
		}
		waited = !comes(ctx, over, wait)
	}
}

// comes waits for done, and reports whether it was closed in time.
func comes(ctx context.Context, done <-chan struct{}, wait time.Duration) bool {
	late := time.NewTimer(wait)
	defer late.Stop()
	select {
	case <-done:
		return true
	case <-late.C:
	case <-ctx.Done():
	}
	return false
}

// entitled returns the credential of that name, if its token can be exchanged: under
// the same conditions under which it would be given out.
func (a *Agent) entitled(ctx context.Context, name string) (*credential, error) {
	if since, _ := a.locked(); !since.IsZero() {
		return nil, ErrAgentLocked(since, a.Now())
	}
	c, err := a.seek(ctx, name)
	if err != nil {
		return nil, err
	}
	if _, err := a.usable(c, a.Now()); err != nil {
		a.wait(ctx, c, false)
		if c, err = a.lookup(name); err != nil {
			return nil, err
		}
		if _, err := a.usable(c, a.Now()); err != nil {
			return nil, err
		}
	}
	if !IsAPIToken(c.token.secret) {
		return nil, invalid("credential "+quote(name)+": its token is none of CoreWeave's API Access Tokens, and no other is exchanged for object storage keys",
			"one that begins "+apiTokenPrefix+" is: cwagent add NAME")
	}
	return c, nil
}

// exchange has keys got for the token of c, or joins who does. It returns a channel
// that is closed after that, or nil if it is not to be tried now.
func (a *Agent) exchange(c *credential) <-chan struct{} {
	now := a.Now()
	b := c.bunch
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.flight != nil {
		return b.flight
	}
	if a.Exchange == nil || now.Before(b.retryLocked(c, now)) {
		return nil
	}
	done := make(chan struct{})
	begun := a.flights.aside(a, func(ctx context.Context) {
		a.getKeys(ctx, c)
		b.mu.Lock()
		b.flight = nil
		b.mu.Unlock()
		close(done)
	})
	if !begun {
		return nil
	}
	b.flight = done
	return done
}

// getKeys makes one attempt. A refusal may mean that the token is dead: then whoami is
// asked, as for a caller that came back early, and its verdict has its consequences.
func (a *Agent) getKeys(ctx context.Context, c *credential) {
	began := a.Now()
	keys, err := a.Exchange.Keys(ctx, c.token.secret)
	if err != nil && ctx.Err() != nil && a.flights.over() {
		return // the agent ends: that is nobody's fault
	}
	keys.Answer = a.Keep(keys.Answer)
	if why := c.noteKeys(keys, began, a.Now(), err); why != nil {
		a.Log.Warn("no object storage keys", "credential", c.name, "class", why.Class, "why", why.Why)
	}
	if f := (*SourceError)(nil); errors.As(err, &f) && f.Class == Denied {
		// At each of these attempts, which are few: it may have died since the last one.
		if check := a.doubt(c, 0, "no object storage keys: is its token refused?"); check != nil {
			comes(ctx, check, keysWait)
		}
	}
}

// keyless is what a person reads where there are no keys for a token that is as good as
// is known. Who has just been given the right to have some has to know that the answer
// is an old one, and until when it is given.
func (a *Agent) keyless(c *credential) error {
	now := a.Now()
	c.bunch.mu.Lock()
	trials, again := c.bunch.trials, c.bunch.retryLocked(c, now).Sub(now)
	c.bunch.mu.Unlock()
	e := &ipc.Error{Code: ipc.CodeSource, What: "credential " + quote(c.name) + ": no object storage keys: " + trials.why, Hint: trials.hint}
	when := "in a moment"
	if again > 0 {
		when = "in " + shortly(max(again.Round(time.Second), time.Second))
		e.What += " (" + agoOf(now.Sub(trials.last)) + "asked again " + when + ")"
	}
	switch {
	case a.Exchange == nil:
		e.What += "nobody is known who gives any"
	case trials.fails == 0:
		e.Code, e.What, e.Hint = ipc.CodeTimeout, e.What+"no answer in time", "try again in a moment"
	case trials.class == Denied:
		e.Hint = "its owner needs the role Object Storage Admin, or a policy that grants cwobject:CreateAccessKey; cwagent verify " + c.name + " tells whether the token is alive"
	case e.Hint == "":
		e.Hint = "try again " + when + ": CoreWeave is asked once somebody wants them"
	}
	return e
}

// agoOf says how old an answer is, unless it was given just now.
func agoOf(d time.Duration) string {
	if d < time.Second {
		return ""
	}
	return shortly(d.Truncate(time.Second)) + " ago; "
}
