package agent_test

import (
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// A token that was looked into a moment ago does not keep the next one from being
// looked into: who is refused with that one would hear of nothing for half a minute.
func TestSuspicionOfTheNextToken(t *testing.T) {
	guarded(t, func(w *world) {
		w.oracle.knows("s3cr3t-1", rejected)
		w.gets("s3cr3t-1")
		w.by(7, 1, home)
		w.asks("the first token", 1)
		time.Sleep(time.Second)
		w.add(replacing(request("prod", "s3cr3t-2")))
		r := request("prod", "s3cr3t-3")
		r.Standby = true
		w.add(r)
		w.oracle.questions()
		w.gets("s3cr3t-2")
		w.oracle.knows("s3cr3t-2", rejected)
		w.gets("s3cr3t-3") // the same process, refused: this very request gets another one
	})
}

// A person who pastes the old token again, and says how long the new one lives, has
// said nothing about the old one.
func TestReplaceByTheSameSaysNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(holding("s3cr3t-1", time.Hour))
	was := w.status("prod").Expires
	reply := w.add(replacing(holding("s3cr3t-1", 90*24*time.Hour)))
	if is := w.status("prod").Expires; reply.Outcome != ipc.OutcomeExtended || !is.Equal(*was) {
		t.Errorf("%s: it ended at %v, and now at %v", reply.Outcome, was, is)
	}
}
