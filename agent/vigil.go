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

	// mostUsers is how many callers are remembered for each credential.
	mostUsers = 512
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

// gave notes what u was given.
func (v *vigil) gave(u user, key string, end, now time.Time) {
	if u.parent == (peer.Process{}) {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.given == nil {
		v.given = map[user]answer{}
	}
	if _, known := v.given[u]; !known && len(v.given) >= mostUsers {
		v.forgetLocked(now)
	}
	v.given[u] = answer{key, end}
}

// forgetLocked makes room for a while: those whose answer has ended go, and if
// that is not enough, any.
func (v *vigil) forgetLocked(now time.Time) {
	for u, a := range v.given {
		if !now.Before(a.end) {
			delete(v.given, u)
		}
	}
	for u := range v.given {
		if len(v.given) <= mostUsers*3/4 {
			return
		}
		delete(v.given, u)
	}
}

// suspect has the verifier asked about the token of c, unless that was done
// lately, and waits for the verdict, for a moment.
func (a *Agent) suspect(ctx context.Context, c *credential) {
	v := c.vigil
	v.mu.Lock()
	check := v.check
	if now := a.Now(); check == nil && (v.about != c.token.key || now.Sub(v.last).Abs() >= suspicion) {
		if check = a.flights.check(a, c); check != nil {
			v.last, v.about, v.check = now, c.token.key, check
		}
	}
	v.mu.Unlock()
	if check == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, verdictWait)
	defer cancel()
	select {
	case <-check:
	case <-ctx.Done():
	}
}

// check asks about the token of c in the background. It returns a channel that is
// closed after that, or nil if the agent does not run.
func (f *flights) check(a *Agent, c *credential) chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.life == nil {
		return nil
	}
	done, l := make(chan struct{}), f.life
	l.wg.Go(func() {
		defer func() {
			c.vigil.mu.Lock()
			c.vigil.check = nil
			c.vigil.mu.Unlock()
			close(done)
		}()
		ctx, cancel := context.WithTimeout(l.ctx, aloft)
		defer cancel()
		a.Log.Info("a caller came back early: is its token refused?", "credential", c.name)
		if _, _, err := a.examine(ctx, c); err != nil {
			a.Log.Warn("not examined", "credential", c.name, "error", err)
		}
	})
	return done
}
