package agent_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/store"
	"github.com/cwagent/cwagent/ipc"
)

// slow is a source that takes so long, from its second token on.
func slow(d time.Duration) *tap {
	return &tap{next: func(ctx context.Context, n int, usual agent.Minted) (agent.Minted, error) {
		if n == 1 {
			return usual, nil
		}
		select {
		case <-time.After(d):
			usual.Expires = usual.Expires.Add(d)
			return usual, nil
		case <-ctx.Done():
			return agent.Minted{}, ctx.Err()
		}
	}}
}

// asleep runs f with an agent whose machine has slept past the end of its token,
// and that has not noticed yet.
func asleep(t *testing.T, s *tap, f func(w *world)) {
	running(t, func(w *world) {
		w.feed(s)
		w.instantly("s3cr3t-prod-1")
		w.jumps(2 * time.Hour)
		s.life = 3 * time.Hour
		f(w)
	})
}

// After a sleep the first request is the one that has the token renewed; it waits
// for that, and so do all others, for one renewal.
func TestFetchRenews(t *testing.T) {
	s := slow(time.Second)
	asleep(t, s, func(w *world) {
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				takes(t, "a fetch", time.Second, time.Second, func() {
					if token, err := fetchToken(w, "prod"); token != "s3cr3t-prod-2" {
						w.t.Errorf("%q, %v", token, err)
					}
				})
			})
		}
		all.Wait()
		if n := len(s.times()); n != 2 {
			w.t.Errorf("asked %d times", n)
		}
	})
}

// A source that takes longer than a request can wait goes on all the same.
func TestFetchCannotWait(t *testing.T) {
	s := slow(5 * time.Second)
	asleep(t, s, func(w *world) {
		for range 3 {
			takes(w.t, "a fetch", 1500*time.Millisecond, 1500*time.Millisecond, func() {
				_, _, stderr := w.fetch("prod", home)
				if !strings.Contains(stderr, "expired at") || !strings.Contains(stderr, "on its way: try again") {
					w.t.Error(stderr)
				}
			})
		}
		_, err := w.Token(w.t.Context(), ipc.TokenRequest{Name: "prod"})
		if err != nil { // half a second was left
			w.t.Error(err)
		}
		w.instantly("s3cr3t-prod-2")
		if n := len(s.times()); n != 2 {
			w.t.Errorf("asked %d times", n)
		}
	})
}

// A request waits for the token, not for the store to take it.
func TestFetchDoesNotWaitForTheStore(t *testing.T) {
	running(t, func(w *world) {
		var slow atomic.Bool
		w.disk.item = func(ctx context.Context, _ string) error {
			if slow.Load() {
				<-ctx.Done()
			}
			return ctx.Err()
		}
		s := &tap{}
		w.feed(s)
		w.jumps(2 * time.Hour)
		s.life = 3 * time.Hour
		slow.Store(true) // to read a token back
		w.instantly("s3cr3t-prod-2")
		time.Sleep(10 * time.Second)
		if c := w.status("prod"); c.Saved || c.Unsaved == "" {
			w.t.Errorf("%+v", c)
		}
	})
}

// A source that has just said no is not asked five times by one kubectl.
func TestFetchDoesNotInsist(t *testing.T) {
	s := &tap{next: func(_ context.Context, n int, usual agent.Minted) (agent.Minted, error) {
		if n == 1 {
			return usual, nil
		}
		return agent.Minted{}, &agent.SourceError{Class: agent.Denied, Why: "not signed in", Hint: "op signin"}
	}}
	asleep(t, s, func(w *world) {
		for range 5 {
			takes(w.t, "a fetch", 0, 0, func() {
				_, _, stderr := w.fetch("prod", home)
				if !strings.Contains(stderr, "tap: not signed in\nhint: op signin\n") {
					w.t.Error(stderr)
				}
			})
			time.Sleep(100 * time.Millisecond)
		}
		if n := len(s.times()); n != 2 {
			w.t.Errorf("asked %d times", n)
		}
		r := holding("s3cr3t-ahead", 9*time.Hour) // which needs nobody outside
		r.Standby = true
		w.add(r)
		synctest.Wait()
		w.instantly("s3cr3t-ahead")
	})
}

// A thousand tokens that came in the same second do not go in the same second, and
// no more than four sources are asked at once.
func TestMany(t *testing.T) {
	running(t, func(w *world) {
		w.SetStore(&store.Memory{}) // what it costs to save them is not in question
		const many = 1000
		busy, took := &gauge{}, atomic.Int64{}
		sources, taps := map[string]agent.Source{}, []*tap{}
		for i := range many {
			s := &tap{busy: busy, next: func(_ context.Context, _ int, usual agent.Minted) (agent.Minted, error) {
				time.Sleep(time.Duration(took.Load()))
				return usual, nil
			}}
			sources[fmt.Sprintf("c%d", i)], taps = s, append(taps, s)
		}
		w.configure(sources)
		busy.wants(w.t, 0, 4)
		took.Store(int64(500 * time.Millisecond))
		time.Sleep(time.Hour - 3*time.Second)
		perSecond := map[int64]int{}
		for i, s := range taps {
			asked := s.times()
			if len(asked) != 2 {
				w.t.Fatalf("c%d: asked %d times", i, len(asked))
			}
			perSecond[asked[1].Unix()]++
			if got, _ := fetchToken(w, fmt.Sprintf("c%d", i)); !strings.HasSuffix(got, "-2") {
				w.t.Errorf("c%d: %q", i, got)
			}
		}
		most := 0
		for _, n := range perSecond {
			most = max(most, n)
		}
		busy.wants(w.t, 0, 4)
		if most > 20 {
			w.t.Errorf("%d renewals in one second", most)
		}
		w.t.Logf("at most %d sources at once and %d renewals in one second, over %d seconds", busy.most, most, len(perSecond))
	})
}

// Sources that hang keep none waiting that does not, nor a request for another
// credential.
func TestHangingSourcesStarveNobody(t *testing.T) {
	running(t, func(w *world) {
		busy := &gauge{}
		sources, good := map[string]agent.Source{}, []*tap{}
		for i := range 12 {
			sources[fmt.Sprintf("hangs%d", i)] = &tap{busy: busy, next: func(ctx context.Context, _ int, _ agent.Minted) (agent.Minted, error) {
				<-ctx.Done()
				return agent.Minted{}, ctx.Err()
			}}
		}
		w.configure(sources)
		busy.wants(w.t, 4, 4)
		for i := range 20 {
			s := &tap{life: 20 * time.Minute, next: func(_ context.Context, _ int, usual agent.Minted) (agent.Minted, error) {
				time.Sleep(time.Second)
				return usual, nil
			}}
			sources[fmt.Sprintf("good%d", i)], good = s, append(good, s)
		}
		w.configure(sources)
		takes(w.t, "a request", time.Second, time.Second, func() {
			if token, _ := fetchToken(w, "good0"); token != "s3cr3t-good0-1" {
				w.t.Errorf("%q", token)
			}
		})
		time.Sleep(10 * time.Minute)
		for range 3 * 60 {
			time.Sleep(time.Minute)
			for i := range good {
				takes(w.t, "a request", 0, 0, func() {
					if token, _ := fetchToken(w, fmt.Sprintf("good%d", i)); token == "" {
						w.t.Errorf("good%d has nothing", i)
					}
				})
			}
		}
		busy.wants(w.t, 4, 4)
		var all sync.WaitGroup // those that requests wait for are outside of the limit
		for i := range 12 {
			all.Go(func() {
				takes(t, "a request", 1500*time.Millisecond, 1500*time.Millisecond, func() { _, _ = fetchToken(w, fmt.Sprintf("hangs%d", i)) })
			})
		}
		all.Wait()
		synctest.Wait()
		busy.wants(w.t, 12, 12)
	})
}
