package agent

import (
	"context"
	"errors"
	"time"
)

// freshTrouble is how long what is known about a store that gives nothing is
// answered without another look at it: kubectl asks five times.
const freshTrouble = time.Second

// backoff is how long after a failed read the next one comes, unless a request
// asks before. A minute is the pace of an idle agent.
var backoff = [...]time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute}

// trouble is why something cannot be read, and since when. It is immutable.
type trouble struct {
	err         error
	since, last time.Time
	tries       int // at least 1
}

// again is what t becomes when another attempt fails; t may be nil.
func (t *trouble) again(err error, now time.Time) *trouble {
	if t == nil {
		return &trouble{err, now, now, 1}
	}
	return &trouble{err, t.since, now, t.tries + 1}
}

// fresh reports whether t was tried so lately that nothing else is to be
// expected. A clock that was set back makes nothing fresh for long.
func (t *trouble) fresh(now time.Time) bool {
	return t != nil && now.Sub(t.last).Abs() < freshTrouble
}

// wait is how long after the last attempt the next one is due.
func (t *trouble) wait() time.Duration { return backoff[min(t.tries, len(backoff))-1] }

// next is when the next attempt is due: at once where the last one was made in
// the future of a clock that was set back.
func (t *trouble) next(now time.Time) time.Time {
	if t.last.After(now) {
		return now
	}
	return t.last.Add(t.wait())
}

func (t *trouble) String() string { return t.clock() + ": " + t.err.Error() }

// clock says since when, by the time of day.
func (t *trouble) clock() string { return "since " + t.since.Local().Format(time.TimeOnly) }

// outage reports whether err is about the store and not about one token.
func outage(err error) bool {
	return errors.Is(err, ErrLocked) || errors.Is(err, ErrAbsent) || errors.Is(err, context.DeadlineExceeded)
}

// bareCause is what is wrong with the store, without what was wanted of it.
func bareCause(err error) error {
	if u := errors.Unwrap(err); outage(u) && u != ErrLocked && u != ErrAbsent {
		return u
	}
	return err
}

// noteOutage remembers why the store gives nothing; the log gets it once.
func (a *Agent) noteOutage(err error) *trouble {
	err = bareCause(err)
	was := a.trouble.Load()
	if was == nil {
		a.Log.Warn("the store gives nothing", "store", a.Store.Info().Kind, "error", err)
	}
	t := was.again(err, a.Now())
	a.note(&a.trouble, t)
	a.look()
	return t
}

// logFault says what has changed about a token that the store does not give.
func (a *Agent) logFault(name string, was, is *trouble) {
	switch kind := a.Store.Info().Kind; {
	case is != nil && errors.Is(is.err, ErrNotFound) && a.far() != "":
		a.Log.Warn("token rests with another machine", "credential", name, "store", kind, "host", a.far())
	case is != nil && errors.Is(is.err, ErrNotFound):
		a.Log.Error("token is no longer in the store", "credential", name, "store", kind)
	case is != nil && was == nil:
		a.Log.Warn("the store does not give a token", "credential", name, "store", kind, "error", is.err)
	case is == nil && was != nil:
		a.Log.Info("the store gives the token again", "credential", name)
	}
}

// lacking says why a credential without a token has none.
func (a *Agent) lacking(c *credential) (gap, string) {
	kind := a.Store.Info().Kind
	if kind == "file" {
		kind = "file store" // where "the file" could be any
	}
	since, _ := a.locked()
	switch t := a.trouble.Load(); {
	case a.far() != "" && (c.token.missing() || c.token.inStore() && t != nil && errors.Is(t.err, ErrAbsent)):
		return gapLocked, "its token rests in the " + kind + " of " + a.far()
	case c.token.missing():
		return gapEmpty, "its token is no longer in the " + kind
	case !c.token.inStore() && c.token.host != "" && c.token.host != a.Host:
		return gapEmpty, "its token is in the memory of the agent of " + c.token.host + " only"
	case !c.token.inStore() && c.token.brief && !c.token.added.IsZero():
		return gapEmpty, "its token was in memory only, and the agent has been restarted since"
	case !c.token.inStore():
		return gapEmpty, "there is no token"
	case !since.IsZero():
		return gapLocked, "the agent is locked since " + clock(since, a.Now())
	case t != nil && errors.Is(t.err, ErrLocked):
		return gapLocked, "the " + kind + " is locked"
	case t != nil:
		if s, ok := errors.AsType[*Silence](t.err); ok {
			return gapLocked, "the " + kind + " " + s.Words()
		}
		return gapLocked, "the " + kind + " gives nothing " + t.String()
	case c.token.fault != nil:
		return gapLocked, "the " + kind + " does not give its token " + c.token.fault.String()
	}
	return gapReading, "its token is being read from the " + kind
}

// seen is what a status that says the same need not add.
const seen = "; cwagent status shows the store"

// remedy says what helps where the store does not give the token of c.
func (a *Agent) remedy(c *credential) string {
	if since, _ := a.locked(); !since.IsZero() {
		return "cwagent unlock"
	}
	switch t := a.trouble.Load(); {
	case a.far() != "" && (c.token.missing() || c.token.inStore() && t != nil && errors.Is(t.err, ErrAbsent)):
		return farHint(a.far())
	case t != nil && errors.Is(t.err, ErrLocked):
		return "cwagent unlock" + seen
	case t != nil:
		return "it is asked again and again" + seen
	case c.token.fault != nil:
		return "it is asked again and again; another token: cwagent rotate " + c.name
	}
	return "try again" + seen
}
