package agent

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// noon is when the tables below play.
var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// made returns a token that came at noon and lives for life.
func made(life time.Duration) token {
	return token{secret: ipc.NewSecret("s"), added: noon, expiry: ipc.ExpiryKnown, expires: noon.Add(life)}
}

// endless returns a token that came at noon without an end that is known.
func endless(e ipc.Expiry) token {
	return token{secret: ipc.NewSecret("s"), added: noon, expiry: e}
}

// alone is a credential with that token, for which a person brings the next one.
func alone(t token) *credential { return &credential{name: "prod", token: t} }

// aged returns t as it is if it was made that long before the agent got it.
func aged(t token, age time.Duration) token {
	t.created = t.added.Add(-age)
	return t
}

// random returns a source of randomness and prints its seed, with which a
// failure can be had again.
func random(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func TestTimestamp(t *testing.T) {
	t.Parallel()
	const s, ms = time.Second, time.Millisecond
	never := time.Duration(-1) // as a wanted answer: expired
	tests := []struct {
		name  string
		token token
		at    time.Duration // after noon
		want  time.Duration // after noon
	}{
		{"far away: ten minutes", made(30 * day), 0, 10 * time.Minute},
		{"cut to the minute", made(30 * day), 17 * s, 10 * time.Minute},
		{"cut to the minute, just before the next", made(30 * day), 59*s + 999*ms, 10 * time.Minute},
		{"the next minute", made(30 * day), 60 * s, 11 * time.Minute},
		{"unknown end", endless(ipc.ExpiryUnknown), 17 * s, 10 * time.Minute},
		{"no end", endless(ipc.ExpiryNever), 61 * s, 11 * time.Minute},
		{"no end, a year later", endless(ipc.ExpiryNever), 365*day + 1*s, 365*day + 10*time.Minute},

		{"ends in nine minutes", made(time.Hour), 51 * time.Minute, 59 * time.Minute},
		{"the margin decides, not the ten minutes", made(time.Hour), 49*time.Minute + 40*s, 59 * time.Minute},
		{"over two minutes away: to the minute", made(time.Hour), 57*time.Minute + 29*s, 59 * time.Minute},
		{"two minutes away: to the second", made(time.Hour), 57*time.Minute + 30*s, 59*time.Minute + 30*s},
		{"to the second", made(time.Hour), 58 * time.Minute, 59*time.Minute + 30*s},
		{"to the second, of a broken expiry", made(time.Hour + 700*ms), 58 * time.Minute, 59*time.Minute + 30*s},

		{"a second before the margin", made(time.Hour), 59*time.Minute + 29*s, 59*time.Minute + 30*s},
		{"less than a second before it", made(time.Hour), 59*time.Minute + 29*s + 999*ms, 59*time.Minute + 30*s},
		{"the margin begins", made(time.Hour), 59*time.Minute + 30*s, 59*time.Minute + 59*s},
		{"within the margin", made(time.Hour), 59*time.Minute + 45*s, 59*time.Minute + 59*s},
		{"two seconds left", made(time.Hour), 59*time.Minute + 58*s, 59*time.Minute + 59*s},
		{"less than two seconds left", made(time.Hour), 59*time.Minute + 58*s + 1, never},
		{"over", made(time.Hour), time.Hour, never},
		{"long over", made(time.Hour), 48 * time.Hour, never},

		{"a quarter of 20 s", made(20 * s), 0, 15 * s},
		{"a quarter of 20 s, late", made(20 * s), 14*s + 500*ms, 15 * s},
		{"a quarter of 20 s, within", made(20 * s), 15 * s, 19 * s},
		{"a quarter of 20 s, last chance", made(20 * s), 18 * s, 19 * s},
		{"a quarter of 20 s, too late", made(20 * s), 18*s + 1*ms, never},
		{"a quarter of two minutes is all there is", made(2 * time.Minute), 0, 90 * s},
		{"a quarter of a minute", made(time.Minute), 0, 45 * s},
		{"the shortest", made(2 * s), 0, 1 * s},

		{"the lifetime counts from when it was made", aged(made(25*s), time.Hour), 0, 24 * s},
		{"made in the future: from when it came", aged(made(20*s), -time.Hour), 0, 15 * s},
		{"came after its end, by a clock that was set back", made(-time.Hour), -90 * time.Minute, -80 * time.Minute},
		{"the same, near its end", made(-time.Hour), -62 * time.Minute, -60*time.Minute - 30*s},
	}
	for _, tt := range tests {
		now := noon.Add(tt.at)
		got, ok := timestamp(now, tt.token)
		if want := noon.Add(tt.want); ok != (tt.want != never) || ok && !got.Equal(want) {
			t.Errorf("%s: at %v: %v, %v; want %v", tt.name, tt.at, got.Sub(noon), ok, tt.want)
		}
	}
}

// Whatever the clock did between making, getting and asking: an answer is never
// dead, never outlives its token and is never kept for too long.
func TestTimestampAlways(t *testing.T) {
	t.Parallel()
	r := random(t)
	span := func(most time.Duration) time.Duration {
		// As often below a second as above a day.
		return time.Duration(r.Int64N(1 + int64(most)>>r.IntN(44)))
	}
	for range 200_000 {
		now := noon.Add(span(400 * day))
		left := span(400*day) - span(time.Minute)
		tok := token{expiry: ipc.ExpiryKnown, expires: now.Add(left), added: now.Add(span(400*day) - span(400*day))}
		if r.IntN(2) == 0 {
			tok.created = tok.added.Add(span(400*day) - span(400*day))
		}
		if r.IntN(10) == 0 {
			tok.expiry = []ipc.Expiry{ipc.ExpiryNever, ipc.ExpiryUnknown}[r.IntN(2)]
		}
		end, ok := timestamp(now, tok)
		known := tok.expiry == ipc.ExpiryKnown
		switch {
		case ok == (known && left < 2*time.Second):
			t.Fatalf("%v left, %s: ok %v", left, tok.expiry, ok)
		case !ok:
		case !end.After(now), known && !end.Before(tok.expires), end.Sub(now) > 10*time.Minute, end.Nanosecond() != 0:
			t.Fatalf("now %v, token %v to %v: answer to %v", now, born(tok), tok.expires, end)
		case known && left > margin(tok)+time.Second && end.After(tok.expires.Add(-margin(tok))):
			t.Fatalf("%v left, margin %v: answer for %v", left, margin(tok), end.Sub(now))
		case (!known || left > 11*time.Minute) && end.Sub(now) < 9*time.Minute:
			t.Fatalf("%v left: an answer for %v only", left, end.Sub(now))
		}
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	empty := made(day)
	empty.secret = ipc.Secret{}
	tests := []struct {
		name  string
		token token
		at    time.Duration // after noon
		want  ipc.State
	}{
		{"empty", empty, 0, ipc.StateEmpty},
		{"fresh", made(30 * day), 0, ipc.StateValid},
		{"unknown end", endless(ipc.ExpiryUnknown), 89 * day, ipc.StateValid},
		{"no end", endless(ipc.ExpiryNever), 90 * day, ipc.StateValid},
		{"no end, but old", endless(ipc.ExpiryNever), 90*day + time.Second, ipc.StateDue},
		{"unknown end, made long ago", aged(endless(ipc.ExpiryUnknown), 91*day), 0, ipc.StateDue},
		{"a year's token, old", made(365 * day), 91 * day, ipc.StateDue},

		{"a year: 14 days and a second", aged(made(20*day), 60*day), 6*day - time.Second, ipc.StateValid},
		{"a year: 14 days", aged(made(20*day), 60*day), 6 * day, ipc.StateDue},
		{"30 days: 3 days and a second", made(30 * day), 27*day - time.Second, ipc.StateValid},
		{"30 days: 3 days", made(30 * day), 27 * day, ipc.StateDue},
		{"5 days: a day and a second", made(5 * day), 4*day - time.Second, ipc.StateValid},
		{"5 days: a day", made(5 * day), 4 * day, ipc.StateDue},
		{"8 hours: an hour and a second", made(8 * time.Hour), 7*time.Hour - time.Second, ipc.StateValid},
		{"8 hours: an hour", made(8 * time.Hour), 7 * time.Hour, ipc.StateDue},
		{"an hour: over a quarter", made(time.Hour), 45*time.Minute - time.Second, ipc.StateValid},
		{"an hour: a quarter", made(time.Hour), 45 * time.Minute, ipc.StateDue},
		{"20 seconds: over a quarter", made(20 * time.Second), 14 * time.Second, ipc.StateValid},
		{"20 seconds: a quarter", made(20 * time.Second), 15 * time.Second, ipc.StateDue},

		{"two seconds left", made(time.Hour), time.Hour - 2*time.Second, ipc.StateDue},
		{"less", made(time.Hour), time.Hour - time.Second, ipc.StateExpired},
		{"over", made(time.Hour), 2 * time.Hour, ipc.StateExpired},
		{"over and old", made(day), 200 * day, ipc.StateExpired},
	}
	for _, tt := range tests {
		got := alone(tt.token).decide(noon.Add(tt.at), Policy{}.of("any"), gapEmpty)
		if got.state != tt.want || (got.cause == 0) != (got.state != ipc.StateDue) || got.action != rest {
			t.Errorf("%s: %+v; want %s", tt.name, got, tt.want)
		}
	}
}

// The verdict belongs to the clock's reading, not to what was read before.
func TestClockSet(t *testing.T) {
	t.Parallel()
	tok := made(time.Hour)
	for _, step := range []struct {
		at   time.Duration
		want ipc.State
	}{
		{0, ipc.StateValid},
		{3 * time.Hour, ipc.StateExpired}, // slept, or set forward
		{10 * time.Minute, ipc.StateValid},
		{-365 * day, ipc.StateValid}, // set back to before it came
		{50 * time.Minute, ipc.StateDue},
		{200 * day, ipc.StateExpired},
		{time.Minute, ipc.StateValid},
	} {
		now := noon.Add(step.at)
		state := alone(tok).decide(now, Policy{}.of("any"), gapEmpty).state
		_, ok := timestamp(now, tok)
		if state != step.want || ok != (step.want != ipc.StateExpired) {
			t.Errorf("at %v: %s, given out %v; want %s", step.at, state, ok, step.want)
		}
	}
}

// The monotonic clock stands still while a laptop sleeps, and time.Time.Sub
// prefers it: an agent must not see it.
func TestNowIsTheWall(t *testing.T) {
	t.Parallel()
	a := New(Config{Now: time.Now})
	if now := a.Now(); now != now.Round(0) {
		t.Errorf("%v has a monotonic reading", now)
	}
	if a.started != a.started.Round(0) {
		t.Errorf("%v has a monotonic reading", a.started)
	}
}
