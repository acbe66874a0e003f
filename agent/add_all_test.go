package agent_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// together are as many requests as there may be at once.
func together() []ipc.AddRequest {
	var rs []ipc.AddRequest
	for i := range ipc.MaxTogether {
		rs = append(rs, request(fmt.Sprint("many-", i), fmt.Sprint("s3cr3t-many-", i)))
	}
	return rs
}

// Many tokens cost what one costs, but for the store: the book is written twice,
// and what a dry run was told is not asked again.
func TestAddAllWritesOnce(t *testing.T) {
	t.Parallel()
	w, written := newWorld(t), 0
	w.ledger.hook = func() { written++ }
	rs := together()
	for i := range rs {
		rs[i].DryRun = true
	}
	for range 2 {
		if _, err := w.AddAll(t.Context(), rs); err != nil {
			t.Fatal(err)
		}
		for i := range rs {
			rs[i].DryRun = false
		}
	}
	if asked := len(w.oracle.questions()); written != 2 || asked != len(rs) {
		t.Errorf("%d tokens: written %d times, asked %d times", len(rs), written, asked)
	}
	for _, r := range rs {
		if c := w.status(r.Name); !c.Saved || c.Verified == nil {
			t.Errorf("%+v", c)
		}
	}
	if n := len(w.disk.holds()); n != len(rs) {
		t.Errorf("the store holds %d", n)
	}
}

// One that is refused, and one that the store does not take, are said, and
// nothing is left of the others.
func TestAddAllOrNone(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(w *world){
		"refused": func(w *world) { w.oracle.knows("s3cr3t-many-7", agent.Verdict{Life: agent.Rejected, Why: "no"}) },
		"not saved": func(w *world) {
			puts := 0
			w.disk.hook = func(_ context.Context, op string) error {
				if op == "put" {
					puts++
				}
				if puts == 8 {
					return errors.New("full")
				}
				return nil
			}
		},
	} {
		w := newWorld(t)
		spoil(w)
		_, err := w.AddAll(t.Context(), together())
		var e *ipc.Error
		if !errors.As(err, &e) || e.Hint == "" {
			t.Errorf("%s: %v", name, err)
		}
		s, err := w.Status(t.Context(), ipc.StatusRequest{})
		if err != nil || len(s.Credentials) != 0 {
			t.Errorf("%s: %v, %+v", name, err, s.Credentials)
		}
		w.disk.hook = nil
		if _, err := w.AddAll(t.Context(), together()[10:]); err != nil {
			t.Errorf("%s, then: %v", name, err)
		}
		if n := len(w.disk.holds()); n != ipc.MaxTogether-10 {
			t.Errorf("%s: the store holds %d", name, n)
		}
	}
}
