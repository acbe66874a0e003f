package agent

import (
	"context"
	"sync"
	"time"

	"github.com/cwagent/cwagent/ipc/peer"
)

// client-go runs its plugin again when a server has answered 401, and does not
// say why. A caller that asks before the answer that it has been given has ended
// is so most likely one that was refused with it; one whose answer has ended, or
// that talks to another server, is not.

const (
	// suspicion is the least time between two questions that such callers cause
	// about one token of a credential. Another token is another question, or a
	// refused one would go unnoticed because the one before it was.
	suspicion = 30 * time.Second

	// verdictWait is how long such a caller waits for the answer.
	verdictWait = time.Second

	// routine is how old what is known about a token in use may become. An API
	// server that answers 403 to a dead one makes nobody come back early: the
	// answer to this question is there when callers ask for their next token.
	routine = refresh - time.Minute

	// mostUsers is how many callers are remembered for each credential.
	mostUsers = 512
	fewUsers  = 32 // nobody looks at their end before there are so many
)

// A user is a process that uses a credential at one server: the parent of the
// plugin, which is kubectl. The zero parent is nobody.
type user struct {
	parent peer.Process
	server string // canonical URL; empty: it does not say
}

// A vigil is kept over those who use a credential.
type vigil struct {
	mu    sync.Mutex
	given map[user]answer
	last  time.Time     // when callers last caused a question
	about string        // the key of the token that it was about
	check chan struct{} // closed when the one under way is answered; nil: none is

	fetches fetchCounts // how they ended; not under mu

	used  bool      // somebody was given a token since it was last asked about one
	asked time.Time // when it was
	sweep int       // how many users there may be before a look at whose answer has ended
}

// An answer is which token a user was given, by its key, and until when it may be
// used.
type answer struct {
	key string
	end time.Time
}

// again reports whether u has been given that very token and asks before its time.
func (v *vigil) again(u user, key string, now time.Time) bool {
	if u.parent == (peer.Process{}) {
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	was, ok := v.given[u]
	return ok && was.key == key && now.Before(was.end)
}

// gave notes what u was given, and reports whether that was the first time since
// the token was last asked about.
func (v *vigil) gave(u user, key string, end, now time.Time) (first bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	first, v.used = !v.used, true
	if u.parent == (peer.Process{}) {
		return first
	}
	if v.given == nil {
		v.given = map[user]answer{}
	}
	if _, known := v.given[u]; !known && len(v.given) >= max(v.sweep, fewUsers) {
		v.forgetLocked(now)
	}
	v.given[u] = answer{key, end}
	return first
}

// routineAt is when t, the token in use, is to be asked about again because it is
// used; zero if nobody uses it, or somebody is asking.
func (v *vigil) routineAt(t token) time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.used || v.check != nil {
		return time.Time{}
	}
	known := t.added
	for _, at := range []time.Time{t.verified, v.asked} {
		if at.After(known) {
			known = at
		}
	}
	return known.Add(routine)
}

// asking notes that a token is being asked about.
func (v *vigil) asking(now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.used, v.asked = false, now
}

// forgetLocked makes room for a while: those whose answer has ended go, and if
// there are too many even then, any.
func (v *vigil) forgetLocked(now time.Time) {
	defer func() { v.sweep = min(2*len(v.given), mostUsers) }()
	for u, a := range v.given {
		if !now.Before(a.end) {
			delete(v.given, u)
		}
	}
	for u := range v.given {
		if len(v.given) < mostUsers || len(v.given) <= mostUsers*3/4 {
			return
		}
		delete(v.given, u)
	}
}

// suspect has the verifier asked about the token of c, unless that was done
// lately, and waits for the verdict, for a moment.
func (a *Agent) suspect(ctx context.Context, c *credential) {
	if check := a.doubt(c, suspicion, "a caller came back early: is its token refused?"); check != nil {
		comes(ctx, check, verdictWait)
	}
}

// doubt has the verifier asked about the token of c, for the reason that the log gets,
// unless doubt has had it asked about that token for less than pause. It returns a
// channel that is closed when that question, or one that is under way already, is
// answered; nil: there is none.
func (a *Agent) doubt(c *credential, pause time.Duration, why string) <-chan struct{} {
	v := c.vigil
	v.mu.Lock()
	defer v.mu.Unlock()
	now := a.Now()
	if v.check == nil && (v.about != c.token.key || now.Sub(v.last).Abs() >= pause) {
		if check := a.flights.check(a, c); check != nil {
			v.last, v.about, v.check = now, c.token.key, check
			a.Log.Info(why, "credential", c.name)
		}
	}
	return v.check
}

// check asks about the token of c in the background. It returns a channel that is
// closed after that, or nil if the agent does not run.
func (f *flights) check(a *Agent, c *credential) chan struct{} {
	done := make(chan struct{})
	begun := f.aside(a, func(ctx context.Context) {
		defer func() {
			c.vigil.mu.Lock()
			c.vigil.check = nil
			c.vigil.mu.Unlock()
			close(done)
		}()
		if _, _, err := a.examine(ctx, c); err != nil {
			a.Log.Warn("not examined", "credential", c.name, "error", err)
		}
	})
	if !begun {
		return nil
	}
	return done
}

// askRoutinely has the verifier asked about the token of c because it is in use and
// was not asked about for a while, if not too many are asked about already.
func (a *Agent) askRoutinely(c *credential) {
	if a.flights.asking() >= crowd {
		return // it is looked at again when one of them is answered
	}
	v := c.vigil
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.check == nil {
		v.check = a.flights.check(a, c)
	}
}

// asking is how many questions about tokens in use are under way.
func (f *flights) asking() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.checks
}
