package agent

import (
	"context"
	"time"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/peer"
)

// A rendering is an answer that serves until the clock moves its timestamp.
type rendering struct {
	apiVersion string
	expires    time.Time
	bytes      []byte
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
	a.Log.Warn("not given out", "credential", shownName(r.Name), "why", e.What, "pid", p.PID)
	return ipc.FetchReply{Stderr: []byte(e.Text()), Exit: 1}, nil
}

func (a *Agent) fetch(ctx context.Context, r ipc.FetchRequest) ([]byte, error) {
	c, err := a.lookup(r.Name)
	if err != nil {
		return nil, err
	}
	ask, err := a.Codec.Decode(r.ExecInfo)
	if err != nil {
		return nil, err
	}
	now := a.Now()
	if err := c.admit(ask.Server, now); err != nil {
		return nil, err
	}
	if c.inStore() {
		c = a.await(ctx, c)
		now = a.Now()
		// While it waited a binding may have been taken away.
		if err := c.admit(ask.Server, now); err != nil {
			return nil, err
		}
	}
	end, err := a.usable(c, now)
	if err != nil {
		return nil, err
	}
	if last := c.rendered.Load(); last != nil && last.apiVersion == ask.APIVersion && last.expires.Equal(end) {
		return last.bytes, nil
	}
	out, err := a.Codec.Encode(ask.APIVersion, c.token.secret, end)
	if err != nil {
		return nil, err
	}
	c.rendered.Store(&rendering{ask.APIVersion, end, out})
	return out, nil
}

// admit reports whether the credential may go to s; a refusal is remembered
// for status. s is nil where the caller does not name a server.
func (c *credential) admit(s *ipc.Server, now time.Time) error {
	if s == nil && c.noClusterInfo {
		return nil
	}
	refusal := &ipc.Refusal{At: now, Server: s}
	var what string
	if s == nil {
		what = "the caller does not say for which server"
		refusal.Hint = "set provideClusterInfo: true in the kubeconfig, or: cwagent servers " + c.name + " --no-cluster-info"
	} else {
		canonical, err := Canonical(*s)
		if e, ok := err.(*ipc.Error); ok {
			// Nothing else of it: a proxy may have a password.
			refusal.Server, refusal.Hint = &ipc.Server{URL: quote(redactUserinfo(s.URL))}, e.Hint
			c.refusal.Store(refusal)
			return err
		}
		if c.bound(canonical) {
			return nil
		}
		refusal.Server = &canonical
		what = "not bound to " + quote(canonical.URL)
		if c.boundURL(canonical.URL) {
			what += " with that certificate authority, proxy or TLS setting"
		}
		refusal.Hint = "if that server is yours: " + serversLine(c.name, canonical)
		if canonical.ProxySHA256 != "" {
			refusal.Hint = "if that server is yours (write the proxy's user and password into its URL): " + serversLine(c.name, canonical)
		}
	}
	c.refusal.Store(refusal)
	return &ipc.Error{Code: ipc.CodeNotBound, What: "credential " + quote(c.name) + ": " + what, Hint: refusal.Hint}
}

// boundURL reports whether a binding differs from the request in more hidden
// fields only.
func (c *credential) boundURL(url string) bool {
	for _, s := range c.servers {
		if s.URL == url {
			return true
		}
	}
	return false
}

// consolePage is where people make and delete API Access Tokens.
const consolePage = "https://console.coreweave.com/tokens"

// usable returns how long an answer given now may be kept, or why there is none.
func (a *Agent) usable(c *credential, now time.Time) (time.Time, error) {
	state, reason := a.judge(c, now)
	e := &ipc.Error{
		What: "credential " + quote(c.name) + ": " + reason,
		Hint: "make a new token at " + consolePage + ", then: cwagent add " + c.name + " --replace",
	}
	switch state {
	case ipc.StateEmpty:
		e.Code = ipc.CodeEmpty
	case ipc.StateLocked:
		e.Code, e.Hint = ipc.CodeLocked, a.remedy(c)
	case ipc.StateRefused:
		e.Code, e.Hint = ipc.CodeRefused, e.Hint+"; cwagent verify "+c.name+" asks again"
	case ipc.StateExpired:
		e.Code = ipc.CodeExpired
	default:
		end, _ := timestamp(now, c.token)
		return end, nil
	}
	return time.Time{}, e
}

// judge returns the state of a credential and the reason, for a person.
func (a *Agent) judge(c *credential, now time.Time) (ipc.State, string) {
	if c.token.secret.Empty() {
		return a.unusable(c)
	}
	state, reason := judge(now, c.token, a.Policy.of(c.name))
	if state != ipc.StateExpired && c.token.refused != "" {
		return ipc.StateRefused, "the server refuses its token: " + c.token.refused
	}
	return state, reason
}

// Token implements ipc.Agent.
func (a *Agent) Token(ctx context.Context, r ipc.TokenRequest) (ipc.Secret, error) {
	c, err := a.lookup(r.Name)
	if err != nil {
		return ipc.Secret{}, err
	}
	if c.inStore() {
		c = a.await(ctx, c)
	}
	if _, err := a.usable(c, a.Now()); err != nil {
		return ipc.Secret{}, err
	}
	p, _ := peer.FromContext(ctx)
	a.Log.Info("token revealed", "credential", r.Name, "pid", p.PID)
	return c.token.secret, nil
}
