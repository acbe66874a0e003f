package agent_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

var rejected = agent.Verdict{Life: agent.Rejected, Why: "whoami says 401"}

// by fetches prod for a child of that process.
func (w *world) by(pid int, start uint64, server string) (token, stderr string) {
	reply, err := w.Fetch(askedBy(w.t.Context(), pid, start), ipc.FetchRequest{Name: "prod", ExecInfo: ask(server)})
	if err != nil {
		w.t.Error(err)
	}
	_, rest, _ := bytes.Cut(reply.Stdout, []byte(`"token":"`))
	found, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(found), string(reply.Stderr)
}

// gets wants kubectl, which is process 7, to get that token at home.
func (w *world) gets(want string) {
	w.t.Helper()
	if token, stderr := w.by(7, 1, home); token != want {
		w.t.Errorf("%q, %s; want %q", token, stderr, want)
	}
}

// asks wants so many questions since the last time.
func (w *world) asks(what string, want int) {
	w.t.Helper()
	synctest.Wait()
	if n := len(w.oracle.questions()); n != want {
		w.t.Errorf("%s: %d questions, want %d", what, n, want)
	}
}

// suspects wants so many questions in all that callers caused who came back early.
func (w *world) suspects(what string, want int) {
	w.t.Helper()
	synctest.Wait()
	if n := strings.Count(w.log.String(), "a caller came back early"); n != want {
		w.t.Errorf("%s: %d suspicions, want %d", what, n, want)
	}
}

// guarded runs f with a credential prod that is bound to two servers.
func guarded(t *testing.T, f func(w *world)) {
	running(t, func(w *world) {
		r := request("prod", "s3cr3t-1")
		r.Servers = append(r.Servers, ipc.Server{URL: elsewhere})
		w.add(r)
		w.oracle.questions()
		f(w)
	})
}

// Who comes back early was refused, most likely; who comes for another server, in
// time, or is another process, was not.
func TestSuspicion(t *testing.T) {
	guarded(t, func(w *world) {
		w.gets("s3cr3t-1")
		w.asks("the first request", 0)
		w.by(7, 1, elsewhere)
		w.asks("another server", 0)
		w.by(8, 1, home)
		w.asks("another process", 0)
		w.by(7, 2, home)
		w.asks("a process of the same pid", 0)
		for range 6 {
			w.serves("prod", "s3cr3t-1")
		}
		w.asks("nobody in particular", 0)
		w.gets("s3cr3t-1")
		w.asks("the same again", 1)
		for range 20 {
			w.gets("s3cr3t-1")
		}
		w.by(7, 1, elsewhere)
		w.by(8, 1, home)
		w.asks("at once", 0)
		time.Sleep(30*time.Second - 1)
		w.gets("s3cr3t-1")
		w.asks("just before half a minute", 0)
		time.Sleep(1)
		w.gets("s3cr3t-1")
		w.asks("after half a minute", 1)
		for range 30 { // k9s, every ten minutes
			time.Sleep(10 * time.Minute)
			w.gets("s3cr3t-1")
		}
		w.suspects("in its time", 2)
		w.add(replacing(request("prod", "s3cr3t-2")))
		w.oracle.questions()
		w.gets("s3cr3t-2")
		w.asks("another token", 0)
	})
}

// What is not a clear answer changes nothing, and a slow one keeps nobody for more
// than a second.
func TestSuspicionUnknown(t *testing.T) {
	guarded(t, func(w *world) {
		pause := atomic.Int64{}
		w.oracle.during = func() { time.Sleep(time.Duration(pause.Load())) }
		w.oracle.says(agent.Verdict{Life: agent.Unknown, Why: "a proxy's page: 403"})
		w.gets("s3cr3t-1")
		takes(w.t, "a quick answer", 0, 0, func() { w.gets("s3cr3t-1") })
		w.asks("a proxy", 1)
		if c := w.status("prod"); c.State != ipc.StateValid || c.Reason != "" {
			w.t.Errorf("%+v", c)
		}
		time.Sleep(time.Minute)
		pause.Store(int64(10 * time.Second))
		takes(w.t, "a slow answer", time.Second, time.Second, func() { w.gets("s3cr3t-1") })
		takes(w.t, "another one who waits for it", time.Second, time.Second, func() { w.gets("s3cr3t-1") })
		takes(w.t, "another caller", 0, 0, func() { w.by(9, 1, home) })
		w.oracle.says(rejected)
		time.Sleep(9 * time.Second)
		if _, stderr := w.by(9, 1, home); !strings.Contains(stderr, "whoami says 401") {
			w.t.Errorf("the answer came late: %s", stderr)
		}
		w.asks("slowly", 1)
	})
}

// A token that is refused: every caller hears why, after one question, and it is
// asked about again less and less often until it is alive.
func TestSuspicionConfirmed(t *testing.T) {
	guarded(t, func(w *world) {
		w.oracle.during = func() { time.Sleep(50 * time.Millisecond) }
		var all sync.WaitGroup
		for pid := range 50 {
			w.by(100+pid, 1, home)
		}
		w.oracle.says(rejected)
		for pid := range 50 {
			all.Go(func() {
				for range 5 {
					if token, stderr := w.by(100+pid, 1, home); token != "" || !strings.Contains(stderr, "the server refuses its token: whoami says 401") {
						t.Errorf("%q, %s", token, stderr)
					}
				}
			})
		}
		all.Wait()
		w.asks("fifty callers", 1)
		for _, pause := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 5 * time.Minute} {
			time.Sleep(pause - time.Second)
			w.asks("before the next probe", 0)
			time.Sleep(time.Second + 50*time.Millisecond)
			w.asks("the next probe", 1)
		}
		w.oracle.says(agent.Verdict{Life: agent.Unknown, Why: "no network"})
		time.Sleep(5 * time.Minute)
		if c := w.status("prod"); c.State != ipc.StateRefused {
			w.t.Errorf("%+v", c)
		}
		w.oracle.says(alive(me))
		time.Sleep(5 * time.Minute)
		w.gets("s3cr3t-1")
		w.oracle.questions()
		time.Sleep(24 * time.Hour)
		w.asks("when it is alive", 0)
	})
}

// A person who verifies does not wait for the next probe.
func TestVerifyHeals(t *testing.T) {
	guarded(t, func(w *world) {
		w.oracle.says(rejected)
		w.gets("s3cr3t-1")
		w.gets("")
		time.Sleep(time.Hour)
		w.oracle.says(alive(me))
		w.verify("prod")
		w.gets("s3cr3t-1")
	})
}

// Where there is another token to be had, the very request that shows the refusal
// gets it.
func TestSuspicionReplaces(t *testing.T) {
	guarded(t, func(w *world) {
		r := request("prod", "s3cr3t-2")
		r.Standby = true
		w.add(r)
		w.gets("s3cr3t-1")
		w.oracle.knows("s3cr3t-1", rejected)
		w.gets("s3cr3t-2")
	})
}

func TestSuspicionRenews(t *testing.T) {
	running(t, func(w *world) {
		s := &tap{next: func(_ context.Context, n int, usual agent.Minted) (agent.Minted, error) {
			time.Sleep(200 * time.Millisecond)
			return usual, nil
		}}
		w.feed(s)
		w.gets("s3cr3t-prod-1")
		w.oracle.knows("s3cr3t-prod-1", rejected)
		takes(w.t, "a fetch", 200*time.Millisecond, 200*time.Millisecond, func() { w.gets("s3cr3t-prod-2") })
		w.gets("s3cr3t-prod-2")
		w.oracle.knows("s3cr3t-prod-2", rejected) // nobody has come back with it yet
		w.gets("s3cr3t-prod-2")
		time.Sleep(30 * time.Second)
		w.gets("s3cr3t-prod-3")
		w.oracle.knows("s3cr3t-prod-3", rejected)
		if c := w.verify("prod").Credential; c.State != ipc.StateValid || len(s.times()) != 4 {
			w.t.Errorf("asked %d times: %+v", len(s.times()), c)
		}
	})
}

// However many there are who use it: they cost no more than a bounded memory, and
// one who was noted lately is noticed most of the time.
func TestManyUsers(t *testing.T) {
	guarded(t, func(w *world) {
		for pid := range 5000 {
			w.by(1000+pid, 1, home)
			w.by(1000+pid, 1, elsewhere)
		}
		w.asks("each for the first time", 0)
		for pid := range 100 {
			time.Sleep(11 * time.Minute) // those before have ended
			w.by(10_000+pid, 1, home)
			w.by(10_000+pid, 1, home)
		}
		w.suspects("each for the second time", 100)
	})
}

// The clock is set back: an answer that seems to last for hours is no suspicion for
// more than a question in half a minute.
func TestSuspicionClockSetBack(t *testing.T) {
	guarded(t, func(w *world) {
		w.jumps(24 * time.Hour)
		w.gets("s3cr3t-1")
		w.jumps(-24 * time.Hour)
		for range 60 {
			w.gets("s3cr3t-1")
			time.Sleep(time.Second)
		}
		w.asks("in a minute", 2)
	})
}
