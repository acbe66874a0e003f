package agent_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// A grant is a token as the cloud knows it.
type grant struct {
	secret string
	of     string // the credential that it was made for
	owner  ipc.Identity
	made   time.Time // by the time that never jumps
	ends   time.Time // by the cloud's clock
	gone   bool      // revoked
	seen   bool      // an agent was given it
	doubts bool      // an agent was told that nobody can say whether it is alive
}

// A cloud mints, ends and revokes tokens. It is the truth about them.
type cloud struct {
	*clocks

	mu     sync.Mutex
	grants map[string]*grant
	made   map[string][]*grant // by credential, in order
}

// mint makes another token.
func (c *cloud) mint(of string, owner ipc.Identity, life time.Duration) grant {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := &grant{
		secret: fmt.Sprintf("s3cr3t-%s-%d", of, len(c.made[of])+1), of: of, owner: owner, made: time.Now(), ends: c.truth().Add(life),
	}
	c.grants[g.secret] = g
	c.made[of] = append(c.made[of], g)
	return *g
}

// hand notes that the agent was given a token.
func (c *cloud) hand(secret string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if g := c.grants[secret]; g != nil {
		g.seen = true
	}
}

func (c *cloud) doubt(secret string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if g := c.grants[secret]; g != nil {
		g.doubts = true
	}
}

// doubted reports whether a token may be in use without a verdict.
func (c *cloud) doubted(secret string) bool { g, _ := c.find(secret); return g.doubts }

// find returns what is known of a token.
func (c *cloud) find(secret string) (grant, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g, ok := c.grants[secret]
	if !ok {
		return grant{}, false
	}
	return *g, true
}

// all returns the tokens of a credential, the newest last.
func (c *cloud) all(of string) (all []grant) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, g := range c.made[of] {
		all = append(all, *g)
	}
	return all
}

// newest is the last token that was made for a credential and that an agent has.
func (c *cloud) newest(of string) (grant, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := len(c.made[of]) - 1; i >= 0; i-- {
		if g := c.made[of][i]; g.seen {
			return *g, true
		}
	}
	return grant{}, false
}

// revoke reports whether a token was alive, which it is not any more.
func (c *cloud) revoke(secret string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.grants[secret]
	if g == nil || g.gone || !c.truth().Before(g.ends) {
		return false
	}
	g.gone = true
	return true
}

// alive reports whether a server takes a token, for that long at least.
func (c *cloud) alive(g grant, for_ time.Duration) bool {
	now, _ := c.find(g.secret)
	return !now.gone && c.truth().Add(for_).Before(g.ends) && c.wall().Add(for_).Before(g.ends)
}

// judge is the verifier of one life of the agent.
type judge struct{ *incarnation }

// Verify implements agent.Verifier.
func (l judge) Verify(ctx context.Context, r agent.VerifyRequest) agent.Verdict {
	s, secret := l.s, r.Token.Reveal()
	g, known := s.cloud.find(secret)
	l.effect(nil)
	nap(ctx, s.dice.between(20*time.Millisecond, 200*time.Millisecond))
	unknown := func(why string) agent.Verdict {
		l.effect(func() { s.cloud.doubt(secret) })
		return agent.Verdict{Life: agent.Unknown, Why: why}
	}
	switch {
	case s.weather.meets(netDown, ""):
		nap(ctx, s.dice.between(time.Millisecond, 5*time.Second))
		s.weather.met(netDown, "")
		return unknown("no answer")
	case s.weather.meets(verifierHangs, ""):
		nap(ctx, 10*time.Second) // the patience of agent/coreweave
		s.weather.met(verifierHangs, "")
		return unknown("no answer in time")
	case s.weather.meets(garbled, ""):
		return unknown("not the documented JSON")
	case ctx.Err() != nil:
		return unknown("no answer in time")
	}
	v := agent.Verdict{Life: agent.Alive, Identity: g.owner, At: s.wall()}
	if s.weather.meets(nameless, "") {
		v.Identity = ipc.Identity{User: g.owner.User} // which gives a stranger away all the same
	}
	if !known || !s.cloud.alive(g, 0) {
		v = agent.Verdict{Life: agent.Rejected, Why: "whoami says 401", At: s.wall()}
	}
	l.effect(func() { l.told(secret, v.Life) })
	return v
}

// hang waits for nothing: until the caller gives up, or the weather is calm. Until
// then the fault is not over.
func (f *spring) hang(ctx context.Context) {
	here := spell{sourceHangs, f.of}
	defer f.s.weather.stay(here)()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second) // the patience of agent/source
	defer cancel()
	select {
	case <-ctx.Done():
	case <-f.s.weather.calm:
	}
}

// nap waits as long as ctx lives.
func nap(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// A spring is the source of one credential, in one life of the agent.
type spring struct {
	*incarnation
	of   string
	life time.Duration

	asked []time.Time // lately; by one caller at a time
}

// flood holds to the law how often the source is asked.
func (f *spring) flood() {
	const most = 20 // a minute
	f.asked = append(f.asked, time.Now())
	if n := len(f.asked); n > most {
		f.asked = f.asked[n-most:]
		if took := time.Since(f.asked[0]); took < minute {
			f.s.breach(f.incarnation, "the source of %s was asked %d times in %v", f.of, most, took)
		}
	}
}

func (*spring) Kind() string { return "command" }

// Next implements agent.Source.
func (f *spring) Next(ctx context.Context, _ agent.Occasion) (m agent.Minted, err error) {
	s := f.s
	f.effect(nil)
	f.flood()
	nap(ctx, s.dice.between(50*time.Millisecond, 400*time.Millisecond))
	fails := func(c agent.Class) (agent.Minted, error) {
		return m, &agent.SourceError{Class: c, Why: "exit code 1"}
	}
	meets := func(f_ fault) bool { return s.weather.meets(f_, f.of) }
	switch {
	case meets(sourceBusy):
		return fails(agent.Transient)
	case meets(sourceDenies):
		return fails(agent.Denied)
	case meets(sourceBroken):
		return fails(agent.Broken)
	case meets(sourceHangs):
		f.hang(ctx)
		return fails(agent.Transient)
	case meets(sourceSlow):
		nap(ctx, s.dice.between(time.Second, 30*time.Second))
		s.weather.met(sourceSlow, f.of)
	}
	if ctx.Err() != nil {
		return fails(agent.Transient)
	}
	f.effect(func() { m = f.give(meets) })
	return m, nil
}

// give is what it gives: most often another token.
func (f *spring) give(meets func(fault) bool) agent.Minted {
	s := f.s
	minted := func(g grant) agent.Minted {
		s.cloud.hand(g.secret)
		return agent.Minted{Secret: ipc.NewSecret(g.secret), Expiry: ipc.ExpiryKnown, Expires: g.ends}
	}
	switch {
	case meets(sourceBad):
		bad := []string{"", "s3cr3t-two s3cr3t-tokens", "s3cr3t-line\nbreak", "'s3cr3t-quoted'"}
		if i := s.dice.below(len(bad) + 1); i < len(bad) {
			return agent.Minted{Secret: ipc.NewSecret(bad[i]), Expiry: ipc.ExpiryUnknown}
		}
		return minted(s.cloud.mint(f.of, ada, -minute))
	case meets(sourceForeign):
		return minted(s.cloud.mint(f.of, bob, f.life))
	case meets(sourceStale):
		if all := s.cloud.all(f.of); len(all) > 0 {
			return minted(all[len(all)-1])
		}
	}
	return minted(s.cloud.mint(f.of, ada, f.life))
}
