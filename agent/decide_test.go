package agent

import (
	"context"
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// Keys by their jitter: none, half of it, and nearly all.
const (
	early = "#1143"
	usual = "#15"
	late  = "#316"
)

// mint is a source that decide only has to see.
type mint struct{}

func (mint) Kind() string                                   { return "mint" }
func (mint) Next(context.Context, Occasion) (Minted, error) { return Minted{}, nil }

// minted is a credential with that token and a source.
func minted(t token) *credential {
	c := alone(t)
	c.setting.Source = mint{}
	return c
}

// with returns c after it was changed.
func (c *credential) with(change func(*credential)) *credential { change(c); return c }

func keyed(t token, key string) token { t.key = key; return t }

func refusedToken(t token) token { t.refused = "whoami says 401"; return t }

// from is t if it came that long after noon, with the same life.
func from(t token, after time.Duration) token {
	t.added = t.added.Add(after)
	if t.expiry == ipc.ExpiryKnown {
		t.expires = t.expires.Add(after)
	}
	return t
}

// failed is a renewal that has failed n times since noon, the last time at that
// time after it.
func failed(n int, class Class, last time.Duration) renewal {
	return renewal{fails: n, since: noon, last: noon.Add(last), class: class, why: "no network"}
}

// A look is what decide is wanted to say, that long after noon.
type look struct {
	at     time.Duration
	state  ipc.State
	cause  cause
	action action
	next   time.Duration // after noon; never: by itself there will be no other
}

const never = time.Duration(-1 << 62)

// dead is how long before its expiry a token has ended.
const dead = -useless + 1

func (c *credential) looks(t *testing.T, name string, g gap, r rules, looks []look) {
	t.Helper()
	for _, want := range looks {
		d := c.decide(noon.Add(want.at), r, g)
		next := never
		if !d.next.IsZero() {
			next = d.next.Sub(noon)
		}
		if got := (look{want.at, d.state, d.cause, d.action, next}); got != want {
			t.Errorf("%s, after %v: %+v, want %+v", name, want.at, got, want)
		}
	}
}

const (
	valid   = ipc.StateValid
	due     = ipc.StateDue
	gone    = ipc.StateExpired
	refusal = ipc.StateRefused
	h, m, s = time.Hour, time.Minute, time.Second
)

// A source is asked at two thirds of the lifetime or up to a tenth of it before,
// not within five seconds of the last time, and again and again until the end.
func TestDecideSource(t *testing.T) {
	t.Parallel()
	usualRules := Policy{}.of("")
	half := 30*m + dead
	for _, tt := range []struct {
		name  string
		c     *credential
		looks []look
	}{
		{"no jitter", minted(keyed(made(30*m), late)), []look{
			{0, valid, 0, rest, 20 * m}, {20*m - 1, valid, 0, rest, 20 * m}, {20 * m, valid, 0, renew, half},
			{half - 1, valid, 0, renew, half}, {half, gone, 0, renew, never}, {100 * day, gone, 0, renew, never},
			{-9 * h, valid, 0, rest, 20 * m}, // the clock was set back
		}},
		{"half", minted(keyed(made(30*m), usual)), []look{{18*m + 30*s - 1, valid, 0, rest, 18*m + 30*s}, {18*m + 30*s, valid, 0, renew, half}}},
		{"nearly all", minted(keyed(made(1000*s), early)), []look{
			{0, valid, 0, rest, 1000*s - 1000*s/3 - 99900*time.Millisecond}, {566*s + 767*time.Millisecond, valid, 0, renew, 1000*s + dead},
		}},
		{"made before it came", minted(keyed(aged(made(20*m), 10*m), late)), []look{{10*m - 1, valid, 0, rest, 10 * m}, {10 * m, valid, 0, renew, 20*m + dead}}},
		{"old when it came", minted(keyed(aged(made(m), h), late)), []look{{0, valid, 0, rest, 5 * s}, {5 * s, valid, 0, renew, m + dead}}},
		{"six seconds", minted(keyed(made(6*s), late)), []look{{0, valid, 0, rest, 4*s + 1}, {4*s + 1, gone, 0, rest, 5 * s}, {5 * s, gone, 0, renew, never}}},
		{"until the year 9999", minted(keyed(made(1<<63-1), late)), []look{{0, valid, 0, rest, 90 * day}}},
		{"a year: before it is too old", minted(keyed(made(365*day), late)), []look{
			{90*day - 1, valid, 0, rest, 90 * day}, {90 * day, valid, 0, renew, 90*day + 1}, {90*day + 1, due, causeAge, renew, 365*day + dead},
		}},
		{"no end", minted(keyed(endless(ipc.ExpiryUnknown), late)), []look{{0, valid, 0, rest, 90 * day}, {90 * day, valid, 0, renew, 90*day + 1}, {91 * day, due, causeAge, renew, never}}},
		{"there may be news", minted(keyed(made(30*m), late)).with(func(c *credential) { c.news = true }), []look{{m, valid, 0, renew, half}}},
		{"has failed", minted(keyed(made(30*m), late)).with(func(c *credential) { c.renewal = failed(1, Transient, 20*m) }), []look{
			{20 * m, valid, 0, rest, 20*m + 5619*time.Millisecond}, {20*m + 5619*time.Millisecond, valid, 0, renew, 25 * m},
			{25*m - 1, valid, 0, renew, 25 * m}, {25 * m, due, causeSource, renew, half}, {half, gone, 0, renew, never},
			{10 * m, valid, 0, rest, 20 * m}, // the clock was set back
		}},
		{"just before the end", minted(keyed(made(30*m), late)).with(func(c *credential) { c.renewal = failed(6, Transient, 30*m-5*s) }), []look{
			{half, gone, 0, rest, 30*m - 5*s + 28570*time.Millisecond},
		}},
		{"a person asked, in vain", minted(keyed(made(30*m), late)).with(func(c *credential) { c.renewal = failed(1, Denied, m) }), []look{
			{2 * m, valid, 0, rest, 20 * m}, {20 * m, valid, 0, renew, 25 * m}, {25 * m, due, causeSource, renew, half},
		}},
		{"failed in the future", minted(keyed(made(30*m), late)).with(func(c *credential) { c.renewal = failed(3, Denied, 29*m) }), []look{{21 * m, valid, 0, renew, 25 * m}}},
		{"waits for a verdict", minted(keyed(made(30*m), late)).with(func(c *credential) {
			t := made(2 * h)
			c.renewal, c.pending = failed(3, Transient, 30*m-5*s), &t
		}), []look{{half - 1, due, causeSource, rest, half}, {half, gone, 0, renew, never}}},
	} {
		tt.c.looks(t, tt.name, 0, usualRules, tt.looks)
	}
}

// The pauses between attempts grow, up to a limit that depends on why they fail.
func TestDecideBackOff(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	first := []time.Duration{0, 5619 * ms, 10476 * ms, 23428 * ms}
	for class, more := range map[Class][]time.Duration{
		Transient: {27380 * ms, 25475 * ms, 28570 * ms, 26665 * ms},
		Broken:    {43808 * ms, 61140 * ms, 68568 * ms, 63996 * ms},
		Denied:    {43808 * ms, 81520 * ms, 182848 * ms, 319980 * ms},
		"":        {43808 * ms, 61140 * ms, 68568 * ms, 63996 * ms},
	} {
		for n, pause := range append(first[:4:4], more...) {
			c := minted(keyed(made(2*h), late)).with(func(c *credential) { c.renewal = failed(n, class, 90*m) })
			if n > 0 {
				c.looks(t, string(class), 0, rules{}, []look{
					{90*m + pause - 1, valid, 0, rest, 90*m + pause}, {90*m + pause, valid, 0, renew, 2*h - h*2/3 + h/3},
				})
			}
			if got := c.renewal.retry(noon, late); n > 0 && !got.Equal(noon) {
				t.Errorf("%s, %d: the clock was set back: %v", class, n, got)
			}
		}
	}
	for n := range 100 {
		if wait := failed(n+1, Denied, 0).retry(noon, usual).Sub(noon); wait < settle || wait > 6*m {
			t.Errorf("after %d: %v", n+1, wait)
		}
		calm := failed(n+1, Transient, 0)
		calm.calm = 10 * m
		if wait := calm.retry(noon, usual).Sub(noon); wait < settle || wait > 12*m || n > 7 && wait < 10*m {
			t.Errorf("unchanged %d times: %v", n+1, wait)
		}
	}
}

// A token that is refused is asked about again, unless there is another one to be
// had.
func TestDecideRefused(t *testing.T) {
	t.Parallel()
	no := refusedToken(keyed(made(2*h), late))
	end := 2*h + dead
	probed := func(n int, last time.Duration) *credential {
		return alone(no).with(func(c *credential) { c.probes = probes{n, noon.Add(last)} })
	}
	alone(no).looks(t, "after a restart", 0, rules{}, []look{{m, refusal, 0, probe, end}, {end, gone, 0, rest, never}})
	for n, pause := range []time.Duration{30 * s, m, 2 * m, 5 * m, 5 * m, 5 * m} {
		probed(n, m).looks(t, "probes", 0, rules{}, []look{
			{m, refusal, 0, rest, m + pause}, {m + pause - 1, refusal, 0, rest, m + pause}, {m + pause, refusal, 0, probe, end},
			{s, refusal, 0, probe, end}, // the clock was set back
		})
	}
	probed(0, m).with(func(c *credential) { c.token.expiry = ipc.ExpiryNever }).looks(t, "no end", 0, rules{}, []look{{m, refusal, 0, rest, 90 * s}})
	probed(0, m).with(func(c *credential) { c.setting.Source = mint{} }).looks(t, "a source", 0, rules{}, []look{
		{m, refusal, 0, renew, end}, {4 * s, refusal, 0, probe, 5 * s}, {-m, refusal, 0, renew, end},
	})
	probed(0, m).with(func(c *credential) {
		c.setting.Source, c.renewal = mint{}, failed(7, Denied, m)
	}).looks(t, "a source that fails", 0, rules{}, []look{
		{m + s, refusal, 0, rest, 90 * s}, {90 * s, refusal, 0, probe, m + 319980*time.Millisecond}, {10 * m, refusal, 0, renew, end},
	})
}

// Where there is no token in memory, it depends on the store.
func TestDecideGaps(t *testing.T) {
	t.Parallel()
	unread := token{key: late, saved: true, added: noon.Add(-h), expiry: ipc.ExpiryKnown, expires: noon.Add(h)}
	for _, tt := range []struct {
		g       gap
		state   ipc.State
		sourced action
	}{{gapReading, ipc.StateLocked, rest}, {gapLocked, ipc.StateLocked, renew}, {gapEmpty, ipc.StateEmpty, renew}} {
		alone(unread).looks(t, "nobody to ask", tt.g, rules{}, []look{{0, tt.state, 0, rest, never}, {9 * h, tt.state, 0, rest, never}})
		minted(unread).looks(t, "a source", tt.g, rules{}, []look{{0, tt.state, 0, tt.sourced, never}})
	}
	minted(unread).with(func(c *credential) { c.renewal = failed(1, Broken, 0) }).looks(t, "a source that fails", gapLocked, rules{}, []look{
		{0, ipc.StateLocked, 0, rest, 5619 * time.Millisecond}, {5619 * time.Millisecond, ipc.StateLocked, 0, renew, never},
	})
	minted(token{expiry: ipc.ExpiryUnknown}).looks(t, "new", gapEmpty, rules{}, []look{{0, ipc.StateEmpty, 0, renew, never}})
	alone(unread).with(func(c *credential) { c.standby = []token{made(h)} }).looks(t, "standby", gapLocked, rules{}, []look{{0, ipc.StateLocked, 0, promote, never}})
}
