package agent

import (
	"cmp"
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/peer"
)

// patient is how long a request waits where memory has no answer. It is less
// than the plugin's own deadline.
const patient = 1500 * time.Millisecond

// A rendering is an answer that serves until the clock moves its timestamp.
type rendering struct {
	apiVersion string
	expires    time.Time
	answer     Answer
}

// Fetch implements ipc.Agent. It is the request path: memory only.
func (a *Agent) Fetch(ctx context.Context, r ipc.FetchRequest) (ipc.FetchReply, error) {
	out, err := a.fetch(ctx, r)
	if err == nil {
		return ipc.FetchReply{Stdout: out}, nil
	}
	e, ok := err.(*ipc.Error)
	if !ok {
		return ipc.FetchReply{}, err
	}
	p, _ := peer.FromContext(ctx)
	level := slog.LevelWarn
	if p.PID == os.Getpid() {
		level = slog.LevelDebug // our own question whether we answer
	} else {
		a.notGiven(r.Name, e.Code)
	}
	a.Log.Log(ctx, level, NotGivenOut, "credential", shownName(r.Name), "why", e.What)
	return ipc.FetchReply{Stderr: []byte(e.Text()), Exit: 1}, nil
}

func (a *Agent) fetch(ctx context.Context, r ipc.FetchRequest) ([]byte, error) {
	c, err := a.seek(ctx, r.Name)
	if err != nil {
		return nil, err
	}
	now := a.Now()
	q, err := a.inquire(c, r.ExecInfo, now)
	if err != nil {
		return nil, err
	}
	if err := c.admit(q, now); err != nil {
		return nil, err
	}
	p, _ := peer.FromContext(ctx)
	who := user{p.Parent, q.server.URL}
	end, err := a.usable(c, now)
	if err != nil || c.vigil.again(who, c.token.key, now) {
		// While it waits a binding may be taken away.
		c = a.wait(ctx, c, err == nil)
		if _, err := a.lookup(r.Name); err != nil {
			return nil, err // or it is forgotten
		}
		now = a.Now()
		if err := c.admit(q, now); err != nil {
			return nil, err
		}
		if end, err = a.usable(c, now); err != nil {
			return nil, err
		}
	}
	if c.vigil.gave(who, c.token.key, end, now) {
		a.look() // from now on it is asked about now and then
	}
	last := c.rendered.Load()
	if last == nil || last.apiVersion != q.apiVersion || !last.expires.Equal(end) {
		answer, err := a.Codec.Encode(q.apiVersion, end)
		if err != nil {
			return nil, err
		}
		last = &rendering{q.apiVersion, end, answer}
		c.rendered.Store(last)
	}
	a.given.Store(now.UnixNano())
	c.vigil.fetches.add(resultGiven)
	if a.Audit != nil {
		a.Audit.Given(Use{At: now, Credential: c.name, Server: q.server.URL, Peer: p})
	}
	return last.answer.Append(r.Room, c.token.secret), nil
}

// wait is for a request that finds nothing to give out, or whose caller has just
// shown that it was refused: it waits for the store, the verifier or the source,
// and no longer than the plugin does. It returns the credential as it then is.
func (a *Agent) wait(ctx context.Context, c *credential, suspicious bool) *credential {
	ctx, cancel := context.WithTimeout(ctx, patient)
	defer cancel()
	a.catchUpOnce(ctx) // another agent may have another token by now
	now, err := a.lookup(c.name)
	switch {
	case err != nil:
		return c // forgotten
	case suspicious && now.token.key != c.token.key:
		return now
	}
	if c = now; suspicious {
		a.suspect(ctx, c)
	}
	return a.provide(ctx, c)
}

// provide waits until the credential gives a token, or nothing is left to wait
// for, or ctx ends.
func (a *Agent) provide(ctx context.Context, c *credential) *credential {
	if c.token.inStore() && (a.trouble.Load() == nil || c.urge(a.Now()) == rest) {
		a.await(ctx, c)
	}
	var f *flight
	for fresh := false; ; {
		is, err := a.lookup(c.name)
		if err != nil {
			return c // forgotten
		}
		c = is
		now := a.Now()
		if a.decide(c, now).usable() {
			return c // though f may have to save it yet
		}
		if f == nil && a.inherits(c, now) {
			select {
			case <-c.over:
			case <-ctx.Done():
				return c
			}
			continue
		}
		if f == nil {
			first := c.urge(now)
			if first == rest || fresh {
				return c
			}
			if f, fresh = a.fly(c.name, order{asked: true, first: first}); f == nil {
				return c
			}
		}
		select {
		case <-f.done:
			f = nil // if it was for something else: once more
		case <-c.over:
		case <-ctx.Done():
			return c
		}
	}
}

// urge is what to do for a request that finds no token that it could be given,
// unless that has just been tried: kubectl asks five times, and who has been told
// that a source says no asks again, too.
func (c *credential) urge(now time.Time) action {
	what, sure := c.resort(now)
	if r := c.renewal; r.fails > 0 && !sure {
		pause := freshTrouble
		if r.class == Denied {
			pause = 30 * time.Second
		}
		if now.Sub(r.last).Abs() < pause {
			return rest
		}
	}
	return what
}

// consolePage is where people make and delete API Access Tokens.
const consolePage = "https://console.coreweave.com/tokens"

// usable returns how long an answer given now may be kept, or why there is none.
func (a *Agent) usable(c *credential, now time.Time) (time.Time, error) {
	d := a.decide(c, now)
	if d.usable() {
		end, _ := timestamp(now, c.token)
		return end, nil
	}
	e := &ipc.Error{What: "credential " + quote(c.name) + ": " + a.reason(c, d)}
	switch d.state {
	case ipc.StateEmpty:
		e.Code = ipc.CodeEmpty
	case ipc.StateLocked:
		e.Code = ipc.CodeLocked
	case ipc.StateRefused:
		e.Code = ipc.CodeRefused
	default:
		e.Code = ipc.CodeExpired
	}
	if a.flights.has(c.name) && c.urge(now) != rest {
		e.Code, e.Hint = ipc.CodeRenewing, "the next one is on its way: try again in a moment"
		return time.Time{}, e
	}
	if c.setting.Source != nil && c.renewal.fails > 0 {
		e.What += "; " + c.setting.Source.Kind() + ": " + c.renewal.why
	}
	e.Hint = a.advice(c, d)
	return time.Time{}, e
}

// advice says what a person can do about a credential in its state; nothing where it
// is valid.
func (a *Agent) advice(c *credential, d decision) string {
	switch {
	case d.state == ipc.StateValid:
		return ""
	case c.setting.Source != nil && c.renewal.fails > 0:
		return cmp.Or(c.renewal.hint, "cwagent status "+c.name+" shows its source; cwagent rotate "+c.name+" asks it at once")
	case d.state == ipc.StateLocked:
		return a.remedy(c)
	case d.state == ipc.StateDue && c.setting.Source != nil:
		return "cwagent rotate " + c.name + " asks its source at once"
	}
	hint := "make a new token at " + consolePage + ", then: cwagent rotate " + c.name
	if d.state == ipc.StateRefused {
		hint += "; cwagent verify " + c.name + " asks again"
	}
	return hint
}

// reason says why a credential is in its state, for a person; nothing where it is
// valid.
func (a *Agent) reason(c *credential, d decision) string {
	switch d.state {
	case ipc.StateEmpty, ipc.StateLocked:
		_, why := a.lacking(c)
		return why
	case ipc.StateExpired:
		return "the token expired at " + instant(c.token.expires)
	case ipc.StateRefused:
		return "the server refuses its token: " + c.token.refused
	}
	switch d.cause {
	case causeEnding:
		last, _ := c.last()
		if last.key != c.token.key {
			return "the last standby token expires at " + instant(last.expires)
		}
		return "the token expires at " + instant(last.expires)
	case causeAge:
		return "the token is older than " + age(a.policy(c.name).maxAge)
	case causeSource:
		return c.setting.Source.Kind() + " has given no new token since " + instant(c.renewal.since) + ": " + c.renewal.why
	}
	if host := c.guise.host(); c.fellBack && host != "" && host != a.Host {
		return "its newer token is in the memory of the agent of " + host + " only: this is the one before"
	}
	if c.fellBack {
		return fellBackReason
	}
	return ""
}
