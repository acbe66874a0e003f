package agent_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// An API server that answers 403 to a dead token makes no client come back early.
// The token is asked about all the same while it is in use: a kubectl a minute, and
// a k9s that asks when its answer has ended, get the next one within ten minutes.
func TestForbiddenServer(t *testing.T) {
	for name, every := range map[string]time.Duration{"kubectl": time.Minute, "k9s": 10 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			guarded(t, func(w *world) {
				r := request("prod", "s3cr3t-2")
				r.Standby = true
				w.add(r)
				w.gets("s3cr3t-1")
				w.oracle.knows("s3cr3t-1", rejected)
				for pid, began := 100, time.Now(); ; pid++ {
					time.Sleep(every)
					synctest.Wait()
					if name == "k9s" {
						pid = 7
					}
					token, stderr := w.by(pid, 1, home)
					if token == "s3cr3t-2" {
						return
					}
					if time.Since(began) >= 10*time.Minute {
						w.t.Fatalf("after %v: %q, %s", time.Since(began), token, stderr)
					}
				}
			})
		})
	}
}

// A thousand tokens in use at once are asked about a few at a time, and one that
// nobody uses is not asked about.
func TestRoutineIsNoFlood(t *testing.T) {
	running(t, func(w *world) {
		const many = 1000
		for i := range many {
			w.add(ephemeral(request(fmt.Sprintf("c%d", i), fmt.Sprintf("s3cr3t-%d", i))))
		}
		w.add(ephemeral(request("unused", "s3cr3t-unused")))
		w.oracle.questions()
		busy := &gauge{}
		w.oracle.during = func() { defer busy.enter()(); time.Sleep(50 * time.Millisecond) }
		for i := range many {
			w.serves(fmt.Sprintf("c%d", i), fmt.Sprintf("s3cr3t-%d", i))
		}
		time.Sleep(time.Hour)
		asked := map[string]int{}
		for _, q := range w.oracle.questions() {
			asked[q.Token.Reveal()]++
		}
		if len(asked) != many || asked["s3cr3t-unused"] != 0 || asked["s3cr3t-7"] != 1 {
			w.t.Errorf("%d tokens were asked about, the unused one %d times, another %d times", len(asked), asked["s3cr3t-unused"], asked["s3cr3t-7"])
		}
		busy.wants(w.t, 0, 4)
	})
}

// Of the tokens that gave way a good one is kept before those that were refused,
// however many of them came after it.
func TestGoodOneIsKept(t *testing.T) {
	running(t, func(w *world) {
		w.add(request("prod", "s3cr3t-good"))
		for i := range 5 {
			bad := fmt.Sprintf("s3cr3t-bad-%d", i)
			w.add(replacing(request("prod", bad)))
			w.oracle.knows(bad, rejected)
			w.verify("prod")
		}
		w.serves("prod", "s3cr3t-good")
		if c := w.status("prod"); c.State != ipc.StateValid {
			w.t.Errorf("%+v", c)
		}
	})
}
