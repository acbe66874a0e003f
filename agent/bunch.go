package agent

import (
	"errors"
	"sync"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// keysPause is the longest time between two attempts to get keys that somebody wants.
// A person may just have been given the right to have some.
const keysPause = time.Minute

// A bunch is the object storage keys of a credential. They are in memory only: who
// forgets the credential or locks the agent has none left.
//
// CoreWeave warns of processes that ask for keys one by one, so one request is under
// way at a time whoever wants them, and none follows a failure at once. New ones are
// wanted when four fifths of the life of the old ones are over, without being asked if
// somebody took those; until then, or until new ones come, the old ones serve.
type bunch struct {
	mu     sync.Mutex
	keys   Keys          // the zero Keys: none
	token  string        // which token they were got for, by its key
	got    time.Time     // when
	used   bool          // somebody took them
	tried  string        // the token of the last attempt
	trials renewal       // how the attempts with that one have failed since
	flight chan struct{} // closed when the attempt under way is over; nil: none is
}

// takeKeys returns the keys that c can give out now, if there are any, and whether
// others are wanted. First is true for the first who takes them.
func (c *credential) takeKeys(now time.Time) (answer ipc.Secret, due, first bool) {
	b := c.bunch
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.goodLocked(c, now) {
		b.keys = Keys{}
		return ipc.Secret{}, true, false
	}
	first, b.used = !b.used, true
	return b.keys.Answer, b.token != c.token.key || !now.Before(b.renewAtLocked(now)), first
}

// goodLocked reports whether there are keys that c may give out. Those of a token that
// gave way serve until there are new ones, but for one that was found refused, that has
// ended or was deleted, or that was somebody else's.
func (b *bunch) goodLocked(c *credential, now time.Time) bool {
	if b.keys.Answer.Empty() || b.keys.Expires.Sub(now) < useless {
		return false
	}
	if b.token == c.token.key {
		return true
	}
	for _, t := range c.previous {
		if t.key == b.token {
			return t.refused == "" && !expired(now, t) && same(t.identity, c.owner())
		}
	}
	return false
}

// renewAtLocked is when new keys are wanted: at once where the clock was set back, and
// nobody knows how old they are.
func (b *bunch) renewAtLocked(now time.Time) time.Time {
	if b.got.After(now) {
		return now
	}
	return b.got.Add(b.keys.Expires.Sub(b.got) / 5 * 4)
}

// keysDue says when new keys are wanted without being asked, because somebody uses
// those that there are. Keys that can never be given out again it drops.
func (c *credential) keysDue(now time.Time, d decision) time.Time {
	b := c.bunch
	b.mu.Lock()
	defer b.mu.Unlock()
	gone := !d.usable() && d.state != ipc.StateLocked // a store may be about to open
	if gone || !b.goodLocked(c, now) {
		b.keys = Keys{}
	}
	if b.keys.Answer.Empty() || !b.used || b.flight != nil {
		return time.Time{}
	}
	at := b.renewAtLocked(now)
	if b.token != c.token.key {
		at = now
	}
	if at = later(at, b.retryLocked(c, now)); at.After(b.keys.Expires) {
		return time.Time{} // from then on somebody has to want them
	}
	return at
}

// retryLocked is when the next attempt may be made; zero: at any time.
func (b *bunch) retryLocked(c *credential, now time.Time) time.Time {
	if b.tried != c.token.key || b.trials.fails == 0 {
		return time.Time{}
	}
	return Sooner(b.trials.retry(now, b.tried), b.trials.last.Add(keysPause))
}

// noteKeys keeps what came of an attempt that began then and is over now. It returns
// why it failed, if that was not known before.
func (c *credential) noteKeys(keys Keys, began, now time.Time, err error) (news *SourceError) {
	b := c.bunch
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil && keys.Expires.Sub(now) < useless {
		err = &SourceError{Class: Broken, Why: "CoreWeave gives keys that have ended by this machine's clock", Hint: "set the clock"}
	}
	if err == nil {
		b.keys, b.token, b.got, b.used = keys, c.token.key, began, false
		b.tried, b.trials = "", renewal{}
		return nil
	}
	var f *SourceError
	if !errors.As(err, &f) {
		f = &SourceError{Class: Transient, Why: err.Error()}
	}
	if b.tried != c.token.key {
		b.tried, b.trials = c.token.key, renewal{}
	}
	if b.trials.why != f.Why {
		news = f
	}
	b.trials = b.trials.fail(f, 0, now)
	return news
}
