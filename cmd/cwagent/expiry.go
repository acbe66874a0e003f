package main

import (
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"github.com/cwagent/cwagent/agent/config"
	"github.com/cwagent/cwagent/ipc"
)

// lifeFlags are --expires and --created.
type lifeFlags struct{ expires, created string }

func (l *lifeFlags) register(f *pflag.FlagSet) {
	f.StringVar(&l.expires, "expires", "", "when the token ends: 8h, 30d, 2026-12-31, an RFC 3339 time, never, unknown (the default)")
	f.StringVar(&l.created, "created", "", "when the token was made, where --expires is a duration (a date or an RFC 3339 time)")
}

// fromNow reports whether the token would end so long after now.
func (l *lifeFlags) fromNow() bool {
	_, isSpan := config.ParseDuration(l.expires)
	return isSpan && l.created == ""
}

// apply sets the expiry of a request. created is when the token was made as far
// as the program knows; --created beats it.
func (l *lifeFlags) apply(r *ipc.AddRequest, created, now time.Time) error {
	if l.created != "" {
		t, ok := parseInstant(l.created)
		if !ok || t.After(now) {
			return fail("2026-11-01 or 2026-11-01T09:30:00Z, not in the future", "--created %s: not understood", l.created)
		}
		created = t
		r.Created = &created
	}
	r.Expires = nil
	switch l.expires {
	case "", "unknown":
		r.Expiry = ipc.ExpiryUnknown
		return nil
	case "never":
		r.Expiry = ipc.ExpiryNever
		return nil
	}
	end, ok := parseInstant(l.expires)
	if d, isSpan := config.ParseDuration(l.expires); isSpan {
		end, ok = created.Add(d), true
	}
	if !ok {
		return fail("8h, 30d, 2026-12-31, 2026-12-31T18:00:00Z, never or unknown", "--expires %s: not understood", l.expires)
	}
	if !end.After(now) {
		return fail("a token that is dead already is not worth keeping", "--expires %s: %s has passed", l.expires, end.Local().Format(time.DateTime))
	}
	r.Expiry, r.Expires = ipc.ExpiryKnown, &end
	return nil
}

// parseInstant reads a date, which means 00:00 UTC, or an RFC 3339 time.
func parseInstant(s string) (time.Time, bool) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// expiryWords says when a token ends.
func expiryWords(e ipc.Expiry, t *time.Time) string {
	switch {
	case e == ipc.ExpiryKnown && t != nil:
		return "expires " + t.Local().Format("2006-01-02 15:04:05 MST")
	case e == ipc.ExpiryNever:
		return "never expires"
	}
	return "expiry unknown"
}

// span writes a duration in its two largest units: 29d 23h, 3h 5m, 18s.
func span(d time.Duration) string {
	d = max(d, 0).Truncate(time.Second)
	units := []struct {
		of   time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}}
	for i, u := range units {
		if d < u.of && u.of > time.Second {
			continue
		}
		s := strconv.Itoa(int(d/u.of)) + u.name
		if rest := d % u.of; i+1 < len(units) && rest >= units[i+1].of {
			s += " " + strconv.Itoa(int(rest/units[i+1].of)) + units[i+1].name
		}
		return s
	}
	return "0s"
}
