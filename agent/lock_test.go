package agent_test

import (
	"context"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// shut is a latch that is.
type shut struct{ since time.Time }

func (s shut) Shut() (time.Time, bool)              { return s.since, true }
func (shut) Close(ipc.Secret) error                 { return nil }
func (shut) Open(context.Context, ipc.Secret) error { return nil }

// A locked agent leaves the store alone, also where somebody wants to know how it is.
func TestLockedAsksNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(request("prod", "s3cr3t-1"))
	asked := 0
	store := &herald{disk: w.disk, look: func(context.Context) error { asked++; return nil }}
	next := worldOn(t, w.disk, w.ledger, func(c *agent.Config) { c.Store, c.Latch = store, shut{noon} })
	w.disk.hook = func(context.Context, string) error { asked++; return nil }
	if err := next.Restore(); err != nil {
		t.Fatal(err)
	}
	s, err := next.Status(t.Context(), ipc.StatusRequest{Inspect: true})
	if err != nil || s.Agent.Locked == nil || !s.Agent.Guarded || len(s.Credentials) != 1 || s.Credentials[0].State != ipc.StateLocked {
		t.Fatalf("%+v, %v", s, err)
	}
	if asked != 0 {
		t.Errorf("the store was asked %d times", asked)
	}
}
