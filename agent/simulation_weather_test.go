package agent_test

import (
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A fault is one kind of what goes wrong outside of the agent, or to it.
type fault string

// Those that come and go; see climate for how often and for how long.
const (
	netDown       fault = "verifier unreachable"
	verifierHangs fault = "verifier hangs"
	garbled       fault = "verifier answers garbage"
	nameless      fault = "verifier does not tell whose"
	storeGone     fault = "store absent"
	storeLocked   fault = "store locked"
	storeFails    fault = "store fails"
	storeSlow     fault = "store slow"
	storeForgets  fault = "store forgets what it takes"
	bookFull      fault = "ledger full"
	bookLate      fault = "ledger fails late"
	alarmLate     fault = "alarm late"
	sourceBusy    fault = "source fails for now"
	sourceDenies  fault = "source says no"
	sourceBroken  fault = "source broken"
	sourceHangs   fault = "source hangs"
	sourceSlow    fault = "source slow"
	sourceBad     fault = "source gives no token"
	sourceForeign fault = "source gives another owner's token"
	sourceStale   fault = "source gives an old token"
)

// Those that happen at one instant.
const (
	suspended fault = "machine sleeps"
	setBack   fault = "clock set back"
	killed    fault = "agent killed"
	restarted fault = "agent restarted"
	revoked   fault = "token revoked"
	reloaded  fault = "config reloaded"
)

const minute, day = time.Minute, 24 * time.Hour

// climate is how long it is from one spell of a fault to the next, on the
// average, and how long a spell lasts.
var climate = map[fault]struct{ every, least, most time.Duration }{
	netDown:       {day, time.Minute, 5 * time.Hour},
	verifierHangs: {2 * day, time.Minute, time.Hour},
	garbled:       {day, time.Minute, time.Hour},
	nameless:      {2 * day, time.Minute, 2 * time.Hour},
	storeGone:     {2 * day, 10 * time.Second, 2 * time.Hour},
	storeLocked:   {2 * day, time.Minute, 3 * time.Hour},
	storeFails:    {day, 10 * time.Second, time.Hour},
	storeSlow:     {day, time.Minute, time.Hour},
	storeForgets:  {2 * day, time.Minute, time.Hour},
	bookFull:      {2 * day, time.Minute, 3 * time.Hour},
	bookLate:      {2 * day, time.Minute, time.Hour},
	alarmLate:     {9 * time.Hour, time.Minute, 4 * time.Hour},
	sourceBusy:    {3 * day, time.Minute, 5 * time.Hour},
	sourceDenies:  {3 * day, time.Minute, 5 * time.Hour},
	sourceBroken:  {3 * day, time.Minute, 5 * time.Hour},
	sourceHangs:   {3 * day, time.Minute, 3 * time.Hour},
	sourceSlow:    {3 * day, time.Minute, time.Hour},
	sourceBad:     {3 * day, time.Minute, 2 * time.Hour},
	sourceForeign: {2 * day, time.Minute, 2 * time.Hour},
	sourceStale:   {2 * day, time.Minute, 2 * time.Hour},
}

// A spell is a fault where it is: in all, or in what concerns one credential.
type spell struct {
	fault
	of string
}

// weather is which faults there are at the moment.
type weather struct {
	calm chan struct{} // closed when nothing goes wrong any more
	note func(format string, args ...any)

	mu     sync.Mutex
	on     map[spell]bool
	stays  map[spell]int       // what it holds on to
	last   map[spell]time.Time // when one was on or did something, by the time that never jumps
	spells map[fault]int       // how often one came
	hits   map[fault]int       // what met it
}

func newWeather() *weather {
	return &weather{
		note: func(string, ...any) {}, calm: make(chan struct{}), on: map[spell]bool{}, stays: map[spell]int{}, last: map[spell]time.Time{}, spells: map[fault]int{}, hits: map[fault]int{},
	}
}

// pause waits, and reports whether the weather still changes.
func (w *weather) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-w.calm:
		return false
	}
}

// brew has a spell come and go.
func (w *weather) brew(s spell, d *dice) {
	c := climate[s.fault]
	if s == (spell{sourceDenies, "strict"}) {
		c.every, c.least, c.most = 5*day, day, 4*day
	}
	for w.pause(d.about(c.every)) {
		w.begin(s)
		w.pause(d.between(c.least, c.most))
		w.end(s)
	}
}

func (w *weather) begin(s spell) { w.set(s, true, 1) }
func (w *weather) end(s spell)   { w.set(s, false, 0) }

// strike is for a fault that happens at one instant.
func (w *weather) strike(s spell) { w.set(s, false, 1) }

func (w *weather) set(s spell, on bool, n int) {
	w.note("%s %s: %v", s.fault, s.of, on)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.on[s], w.last[s] = on, time.Now()
	w.spells[s.fault] += n
}

// meets reports whether what concerns that credential meets the fault now.
func (w *weather) meets(f fault, of string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, s := range []spell{{f, of}, {f, ""}} {
		if w.on[s] {
			w.hits[f]++
			return true
		}
	}
	return false
}

// met notes that what a fault has done is over only now.
func (w *weather) met(f fault, of string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last[spell{f, of}] = time.Now()
}

// stay has a fault be there until over is called, though its spell may end before.
func (w *weather) stay(s spell) (over func()) {
	add := func(n int) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.stays[s] += n
		w.last[s] = time.Now()
	}
	add(1)
	return func() { add(-1) }
}

// quiet is for how long nothing has gone wrong that concerns that credential. A
// late alarm is no excuse for anything.
func (w *weather) quiet(of string, but ...fault) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	least := 100 * day
	for s, last := range w.last {
		if s.of != "" && s.of != of || s.fault == alarmLate || slices.Contains(but, s.fault) {
			continue
		}
		if w.on[s] || w.stays[s] > 0 {
			return 0
		}
		least = min(least, time.Since(last))
	}
	return least
}

// since is for how long that has not been.
func (w *weather) since(s spell) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.on[s] {
		return 0
	}
	return time.Since(w.last[s])
}

// String says what was and how often.
func (w *weather) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, f := range slices.Sorted(maps.Keys(w.spells)) {
		line := fmt.Sprintf("%s %d", f, w.spells[f])
		if n := w.hits[f]; n > 0 {
			line += fmt.Sprintf(" (met %d times)", n)
		}
		out = append(out, line)
	}
	return strings.Join(out, ", ")
}

// clocks are the cloud's, which is right, and the machine's, which may be behind.
// While the machine sleeps both go on; what waits, waits.
type clocks struct {
	slept, behind atomic.Int64
	jumps         atomic.Int64
}

func (c *clocks) truth() time.Time { return time.Now().Add(time.Duration(c.slept.Load())).Round(0) }
func (c *clocks) wall() time.Time  { return c.truth().Add(-time.Duration(c.behind.Load())) }

// dice are thrown by one goroutine at a time, those of the same seed and name
// always in the same way.
type dice struct {
	mu sync.Mutex
	r  *rand.Rand
}

func newDice(seed uint64, name string) *dice {
	h := fnv.New64a()
	h.Write([]byte(name))
	return &dice{r: rand.New(rand.NewPCG(seed, h.Sum64()))}
}

func (d *dice) below(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.r.IntN(n)
}

// about is a span of that length on the average.
func (d *dice) about(mean time.Duration) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Duration(d.r.ExpFloat64() * float64(mean))
}

// between is more often near least than near most.
func (d *dice) between(least, most time.Duration) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Duration(float64(least) * math.Pow(float64(most)/float64(least), d.r.Float64()))
}
