package agent

import "time"

// jitter is a number from 0 to 1 that is drawn once for each token and n: keys are
// random, and so it is the same after a restart. (It is FNV-1a; that of hash/fnv
// allocates, and requests come by here.)
func jitter(key string, n int) float64 {
	h := uint32(2166136261)
	for i := range len(key) {
		h = (h ^ uint32(key[i])) * 16777619
	}
	h = (h ^ uint32(n)) * 16777619
	return float64(h%1000) / 1000
}

// A renewal is how the attempts to give a credential another token went since it
// got the current one. The zero renewal has no failure.
type renewal struct {
	fails int
	since time.Time // of the first failure
	last  time.Time // of the last one
	class Class
	why   string
	hint  string
	calm  time.Duration // the longest pause until the next attempt, where it is more than patience
}

// patience is the longest pause between two attempts, by class. What has no
// network has one again within half a minute; a source that says no wants a
// person, and a flood of questions would help nobody.
var patience = map[Class]time.Duration{Transient: 25 * time.Second, Broken: time.Minute, Denied: 5 * time.Minute}

// retry is when it is worth another attempt; zero if nothing has failed.
func (r renewal) retry(now time.Time, key string) time.Time {
	switch {
	case r.fails == 0:
		return time.Time{}
	case r.last.After(now):
		return now // the clock was set back
	}
	longest := max(patience[r.class], r.calm)
	if longest == 0 {
		longest = patience[Broken] // a class that nobody knows
	}
	pause := min(settle<<min(r.fails-1, 30), longest)
	return r.last.Add(pause + time.Duration(jitter(key, r.fails)*float64(pause)/5))
}

// fail is r after another failed attempt.
func (r renewal) fail(err *SourceError, calm time.Duration, now time.Time) renewal {
	if r.fails == 0 {
		r.since = now
	}
	return renewal{r.fails + 1, r.since, now, err.Class, err.Why, err.Hint, calm}
}

// probes are the questions about a token that was refused.
type probes struct {
	n    int       // how many
	last time.Time // of the last one, or of the refusal; zero: at once
}

var probePauses = [...]time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute}

func (p probes) next(now time.Time) time.Time {
	if p.last.After(now) {
		return now // the clock was set back
	}
	return p.last.Add(probePauses[min(p.n, len(probePauses)-1)])
}
