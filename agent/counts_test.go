package agent_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// counted is what is not zero, as NAME/RESULT.
func counted(all []agent.Count) map[string]uint64 {
	out := map[string]uint64{}
	for _, c := range all {
		if c.N > 0 {
			out[strings.TrimSuffix(strings.Join(c.Values, "/"), "/")] = c.N
		}
	}
	return out
}

func (w *world) wantCounts(of func(agent.Counts) []agent.Count, want map[string]uint64) {
	w.t.Helper()
	_, n, _ := w.Measure(w.t.Context())
	if got := counted(of(n)); fmt.Sprint(got) != fmt.Sprint(want) {
		w.t.Errorf("counted %v, want %v", got, want)
	}
}

func fetches(n agent.Counts) []agent.Count { return n.Fetches }

// No fetch is lost or counted twice, however many come at once, and whatever becomes
// of the credential meanwhile.
func TestCountsFetches(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(request("prod", "s3cr3t-1"))
	w.add(request("other", "s3cr3t-2"))
	var all sync.WaitGroup
	for i := range 1000 {
		all.Go(func() {
			switch i % 4 {
			case 0:
				w.fetch("prod", home)
			case 1:
				w.fetch("prod", "https://elsewhere.example.com")
			case 2:
				w.fetch(fmt.Sprintf("name-%d", i), home)
			case 3:
				w.fetch("other", home)
			}
			if i%100 == 0 {
				w.add(replacing(request("prod", fmt.Sprintf("s3cr3t-1-%d", i))))
			}
		})
	}
	all.Wait()
	w.wantCounts(fetches, map[string]uint64{"/not_found": 250, "other/given": 250, "prod/given": 250, "prod/not_bound": 250})
	w.wantCounts(func(n agent.Counts) []agent.Count { return n.Rotations }, map[string]uint64{"console": 10})
}

// Each way to end has a word of its own; what the agent asks itself is nobody's.
func TestCountsResults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := request("prod", "s3cr3t-1")
	end := noon.Add(time.Hour)
	r.Expiry, r.Expires = ipc.ExpiryKnown, &end
	w.add(r)
	for _, info := range []string{"", "{}", "\xff"} {
		if reply, err := w.Fetch(t.Context(), ipc.FetchRequest{Name: "prod", ExecInfo: []byte(info)}); err != nil || reply.Exit == 0 {
			t.Fatalf("%+v, %v", reply, err)
		}
	}
	w.set(end)
	w.fetch("prod", home)
	if _, err := w.Fetch(askedBy(t.Context(), 1, 1), ipc.FetchRequest{Name: "CW-SECRET-pasted"}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Fetch(askedBy(t.Context(), os.Getpid()-1, 1), ipc.FetchRequest{}); err != nil { // our own
		t.Fatal(err)
	}
	w.wantCounts(fetches, map[string]uint64{"/not_found": 1, "prod/malformed": 3, "prod/expired": 1})
}

// What goes on without being asked is counted, too.
func TestCountsBackground(t *testing.T) {
	running(t, func(w *world) {
		w.feed(&tap{next: func(_ context.Context, n int, usual agent.Minted) (agent.Minted, error) {
			if n == 2 {
				return usual, &agent.SourceError{Class: agent.Denied, Why: "not signed in"}
			}
			return usual, nil
		}})
		w.instantly("s3cr3t-prod-1")
		time.Sleep(50 * time.Minute)
		synctest.Wait()
		w.wantCounts(func(n agent.Counts) []agent.Count { return n.Rotations }, map[string]uint64{"tap": 2})
		w.wantCounts(func(n agent.Counts) []agent.Count { return n.NoNext }, map[string]uint64{"refused": 1})
		_, n, _ := w.Measure(w.t.Context())
		if v := counted(n.Verifications); v["alive"] < 2 || len(v) != 1 {
			w.t.Errorf("verifications %v", v)
		}
	})
}

func TestCountsStoreErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i, err := range []error{agent.ErrLocked, agent.ErrAbsent, agent.ErrRefused, context.DeadlineExceeded, fmt.Errorf("odd"), context.Canceled} {
		w.disk.hook = func(_ context.Context, op string) error {
			if op == "put" {
				return fmt.Errorf("disk: %w", err)
			}
			return nil
		}
		if _, err := w.Add(t.Context(), request(fmt.Sprintf("c%d", i), "s3cr3t-1")); err == nil {
			t.Fatal("it was taken")
		}
	}
	w.wantCounts(func(n agent.Counts) []agent.Count { return n.StoreErrors },
		map[string]uint64{"put/locked": 1, "put/absent": 2, "put/refused": 1, "put/other": 1})
}

// Measure says until when its answer is true: the state of a credential changes by
// itself.
func TestMeasureUntil(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(request("ever", "s3cr3t-1"))
	_, _, never := w.Measure(t.Context())
	r := request("prod", "s3cr3t-2")
	end := noon.Add(8 * time.Hour)
	r.Expiry, r.Expires = ipc.ExpiryKnown, &end
	w.add(r)
	state := func() (ipc.State, time.Time) {
		s, _, until := w.Measure(t.Context())
		return s.Credentials[1].State, until
	}
	for _, want := range []ipc.State{ipc.StateValid, ipc.StateDue, ipc.StateExpired} {
		got, until := state()
		if got != want {
			t.Fatalf("%s, want %s", got, want)
		}
		if want == ipc.StateExpired {
			break
		}
		w.set(until.Add(-time.Nanosecond))
		if got, _ := state(); got != want {
			t.Errorf("%s before the time", got)
		}
		w.set(until)
	}
	if age := noon.Add(90 * 24 * time.Hour); never.Before(age) || never.Sub(age) > time.Second {
		t.Errorf("a token without an end changes at %v", never)
	}
}
