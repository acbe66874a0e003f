package agent

import (
	"strconv"
	"strings"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// Everything in this file is a pure function of the wall clock and of what is
// known about a token. The same ones serve requests and status, so that a late
// timer can never give out an expired token.

const (
	// refresh is how long a caller may keep an answer: then it asks again and
	// learns of a replaced token.
	refresh = 10 * time.Minute

	// skew is the most time by which an answer ends before its token does.
	skew = 30 * time.Second

	// useless is how much life a token must have left to be given out: with
	// less, the caller's request would reach the server too late.
	useless = 2 * time.Second

	// minute-long answers: an answer that ends further away than this is cut
	// to the full minute, so that one rendering serves for a minute.
	coarse = 2 * time.Minute
)

// A Policy says when a person is needed. The zero Policy is the usual one.
type Policy struct {
	// WarnBefore are the times left at which a person is told, longest first;
	// nil means 14 days, 3 days, a day, an hour.
	WarnBefore []time.Duration

	// MaxAge is how old the token of a credential may be before it should be
	// replaced, whatever the token itself says, by the credential's name; zero
	// is no limit. What is not in it has 90 days.
	MaxAge map[string]time.Duration
}

var warnBefore = []time.Duration{14 * 24 * time.Hour, 3 * 24 * time.Hour, 24 * time.Hour, time.Hour}

const maxAge = 90 * 24 * time.Hour

// rules are a Policy as it applies to one credential.
type rules struct {
	warnBefore []time.Duration
	maxAge     time.Duration // 0: no limit
	host       int           // another number on each machine, so that they do not ask a source at once
}

func (p Policy) of(name string) rules {
	r := rules{warnBefore: p.WarnBefore, maxAge: maxAge}
	if r.warnBefore == nil {
		r.warnBefore = warnBefore
	}
	if age, set := p.MaxAge[name]; set {
		r.maxAge = age
	}
	return r
}

// timestamp returns the expirationTimestamp of an answer given now: early
// enough that no caller uses the token when it is dead, soon enough that it
// learns of a new one, late enough that it does not ask at every request. It is
// after now and whole seconds. ok is false if the token is expired.
func timestamp(now time.Time, t token) (end time.Time, ok bool) {
	if expired(now, t) {
		return time.Time{}, false
	}
	end = now.Add(refresh)
	if t.expiry == ipc.ExpiryKnown {
		early := t.expires.Add(-margin(t))
		if early.Before(end) {
			end = early
		}
		if !end.Truncate(time.Second).After(now) {
			// Within the margin: as long as there is any life, minus a second.
			end = t.expires.Add(-time.Second)
		}
	}
	if end.Sub(now) > coarse {
		return end.Truncate(time.Minute), true
	}
	return end.Truncate(time.Second), true
}

// margin is by how much an answer ends before its token. A clock that was set
// back after the token came makes its lifetime nonsense: then it is the most.
func margin(t token) time.Duration {
	if l := lifetime(t); l > 0 {
		return min(skew, l/4)
	}
	return skew
}

// expired reports whether the token must not be given out any more.
func expired(now time.Time, t token) bool {
	return t.expiry == ipc.ExpiryKnown && t.expires.Sub(now) < useless
}

// lifetime is the span from when the token was made, or else from when the
// agent got it, to its expiry.
func lifetime(t token) time.Duration {
	return t.expires.Sub(born(t))
}

func born(t token) time.Time {
	if t.created.IsZero() || t.created.After(t.added) {
		return t.added
	}
	return t.created
}

// warning is the time left at which a token of that lifetime becomes due: the
// longest step that is at most a quarter of it, else that quarter.
func (r rules) warning(lifetime time.Duration) time.Duration {
	for _, step := range r.warnBefore {
		if step <= lifetime/4 {
			return step
		}
	}
	return lifetime / 4
}

// age writes a limit as a person would: in days where it is whole days.
func age(d time.Duration) string {
	const day = 24 * time.Hour
	if d%day != 0 {
		return d.String()
	}
	return strconv.Itoa(int(d/day)) + " days"
}

// shortly writes a time as a person would: 5m, not 5m0s.
func shortly(d time.Duration) string {
	s := age(d)
	if d%time.Minute == 0 && d != 0 {
		s = strings.TrimSuffix(s, "0s")
	}
	if d%time.Hour == 0 && d != 0 {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// instant is how a point in time is written to a person: absolute, local.
func instant(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 MST") }
