package agent_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/peer"
)

var (
	simulate     = flag.Int("simulate", 2, "how often TestSimulation lives through its 60 days")
	simulateSeed = flag.Uint64("simulate-seed", 0, "the seed of its first life; 0: any")
)

// A role is what a credential is like.
type role struct {
	name   string
	life   time.Duration // of its tokens
	every  time.Duration // between two callers, on the average
	look   time.Duration // between two looks of the person who brings its tokens
	source bool
	pool   bool // has tokens in standby
	brief  bool // in memory only
}

var cast = []role{
	{name: "hourly", life: time.Hour, every: 20 * minute, source: true},
	{name: "daily", life: 8 * time.Hour, every: 40 * minute, source: true},
	{name: "strict", life: 8 * time.Hour, every: 40 * minute, source: true}, // whose source says no for days
	{name: "pool", life: 2 * day, every: 40 * minute, look: 5 * time.Hour, pool: true},
	{name: "console", life: 7 * day, every: 40 * minute, look: 5 * time.Hour},
	{name: "brief", life: 12 * time.Hour, every: 40 * minute, look: 2 * time.Hour, brief: true},
}

var (
	ada = ipc.Identity{OrgUID: "org-1", UID: "user-1", User: "ada"}
	bob = ipc.Identity{OrgUID: "org-1", UID: "user-2", User: "bob"}

	askHome = ask(home)
)

// A simulation is 60 days in the life of some credentials, in bad weather.
type simulation struct {
	t    *testing.T
	seed uint64
	dice *dice
	clocks
	weather *weather
	cloud   *cloud
	disk    *disk
	ledger  *notebook

	diary struct {
		sync.Mutex
		notes    []string // the last ones
		breaches int
	}

	mu        sync.Mutex
	agent     *incarnation
	book      agent.Book      // in the ledger
	saved     map[string]bool // tokens that are said to be
	done      map[string]bool // tokens that a person does not want any more
	suspected map[string]time.Time
	counts    map[string]int
	lives     int
	pids      int
}

// Sixty days with everything going wrong at random, and the cloud as the judge of
// every token that was given out. No caller ever gets a token that has ended; nor
// one that is refused, once the agent could know; nor nothing, where there is
// something to be had; and no token is lost.
//
// A seed brings the same weather and the same people. What happens at the very
// same instant may come in another order, and from there on things differ: where
// a breach does not come again at once, -count 20 brings it.
func TestSimulation(t *testing.T) {
	seed := *simulateSeed
	if seed == 0 {
		seed = rand.Uint64()>>1 | 1
	}
	for i := range uint64(*simulate) {
		t.Run(fmt.Sprint("seed ", seed+i), func(t *testing.T) {
			cryptotest.SetGlobalRandom(t, seed+i) // keys, and by them when each is renewed
			began := time.Now()
			synctest.Test(t, func(t *testing.T) { newSimulation(t, seed+i).run() })
			t.Logf("%.1f s", time.Since(began).Seconds())
		})
	}
}

func newSimulation(t *testing.T, seed uint64) *simulation {
	s := &simulation{
		t: t, seed: seed, dice: newDice(seed, "all"), weather: newWeather(), disk: newDisk(), ledger: &notebook{},
		saved: map[string]bool{}, done: map[string]bool{}, suspected: map[string]time.Time{}, counts: map[string]int{},
	}
	s.weather.note = s.note
	s.cloud = &cloud{clocks: &s.clocks, grants: map[string]*grant{}, made: map[string][]*grant{}}
	return s
}

// run lets everything happen, and wants all to be well at the end.
func (s *simulation) run() {
	var all, lives sync.WaitGroup
	over := make(chan struct{})
	lives.Go(func() { s.reincarnate(over) })
	s.brew(&all)
	for _, c := range cast {
		all.Go(func() { s.calls(c, newDice(s.seed, "calls "+c.name)) })
		all.Go(func() { s.audits(c, newDice(s.seed, "audits "+c.name)) })
		if c.look > 0 {
			all.Go(func() { s.tends(c, newDice(s.seed, "tends "+c.name)) })
		}
	}
	all.Go(func() { s.commands(newDice(s.seed, "commands")) })
	time.Sleep(60 * day)
	close(s.weather.calm)
	all.Wait()
	s.healed()
	close(over)
	s.living().stop()
	lives.Wait()
	s.report()
}

// reincarnate has one agent follow the other.
func (s *simulation) reincarnate(over chan struct{}) {
	d := newDice(s.seed, "starts")
	for {
		select {
		case <-over:
			return
		default:
		}
		var one sync.WaitGroup
		one.Go(s.live)
		one.Wait()
		s.mu.Lock()
		s.agent = nil
		s.mu.Unlock()
		time.Sleep(d.between(10*time.Millisecond, 20*time.Second))
		s.weather.met(restarted, "")
	}
}

func (s *simulation) audits(c role, d *dice) {
	for s.weather.pause(d.about(2 * time.Hour)) {
		_, _ = mortal(func() error { s.audit(c); return nil })
	}
}

// healed wants everything to be well: in half a minute what can be given, and
// after some more all is saved, and nothing is left over.
func (s *simulation) healed() {
	ctx := context.Background()
	s.jump(s.dice, 0, -s.behind.Load())
	for s.living() == nil || time.Since(s.living().born) < 30*time.Second {
		time.Sleep(time.Second)
	}
	l := s.living()
	l.light(-1, false)
	time.Sleep(30 * time.Second)
	for _, c := range cast {
		_, _ = l.Verify(ctx, ipc.VerifyRequest{Name: c.name})
		s.well(c)
	}
	for _, c := range cast {
		if c.look > 0 {
			s.tend(ctx, l, c)
		}
	}
	time.Sleep(2 * minute)
	for _, c := range cast {
		st, err := l.Status(ctx, ipc.StatusRequest{Name: c.name})
		if err != nil || st.Credentials[0].State != ipc.StateValid && st.Credentials[0].State != ipc.StateDue ||
			!st.Credentials[0].Saved && !c.brief || st.Credentials[0].Unsaved != "" {
			s.breach(l, "%s is not well: %+v, %v", c.name, st, err)
		}
	}
	l.leave()
	l.stop() // the next one sweeps what this one may have left
	time.Sleep(minute)
	for _, c := range cast {
		if !c.brief {
			s.well(c)
		}
	}
	book := s.ledger.book(s.t)
	stored, used := slices.Sorted(maps.Keys(s.disk.copy())), slices.Sorted(maps.Keys(keysOf(book)))
	if !slices.Equal(stored, used) || len(book.Orphans) > 0 {
		s.breach(s.living(), "the store has %q, the ledger %q and the orphans %q", stored, used, book.Orphans)
	}
}

// well wants the credential to give what can be had.
func (s *simulation) well(c role) {
	v, _ := s.fetch(c, s.process())
	if s.refuses(v) {
		s.breach(v.l, "%s: %s is refused", c.name, v.secret)
	}
	if v.secret != "" {
		return
	}
	for _, g := range s.held(v.l, c) {
		if c.source || s.cloud.alive(g, 5*time.Second) {
			s.breach(v.l, "%s: nothing at the end", c.name)
		}
	}
}

func (s *simulation) report() {
	s.mu.Lock()
	defer s.mu.Unlock()
	minted := 0
	for _, all := range s.cloud.made {
		minted += len(all)
	}
	s.t.Logf("seed %d: %d lives of the agent, %d tokens, %v\nfaults: %v", s.seed, s.lives, minted, s.counts, s.weather)
}

// living is the agent that takes requests; nil: none does.
func (s *simulation) living() *incarnation {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.agent == nil || s.agent.ended() {
		return nil
	}
	return s.agent
}

// process is another one each time.
func (s *simulation) process() peer.Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pids++
	return peer.Process{PID: s.pids, Start: 1}
}

func (s *simulation) count(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[what]++
}
