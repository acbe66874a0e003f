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

func (s shut) Shut() (time.Time, bool)                { return s.since, true }
func (shut) Prepare(ipc.Secret) (func() error, error) { return nil, nil }
func (shut) Open(context.Context, ipc.Secret) error   { return nil }

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

// deliberate is a latch whose passphrase takes its time, in which other things happen.
type deliberate struct {
	meanwhile func()
	since     time.Time
}

func (s *deliberate) Shut() (time.Time, bool)              { return s.since, false }
func (*deliberate) Open(context.Context, ipc.Secret) error { return nil }

func (s *deliberate) Prepare(ipc.Secret) (func() error, error) {
	s.meanwhile()
	return func() error { s.since = noon; return nil }, nil
}

// What comes into memory while a lock is prepared is not lost by it, and nothing comes
// after it.
func TestLockLosesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	l := &deliberate{}
	w.Agent.Latch = l
	l.meanwhile = func() { w.add(ephemeral(request("brief", "s3cr3t-1"))) }
	refused(t, w.Lock(t.Context(), ipc.LockRequest{}), ipc.CodeStore)
	if !l.since.IsZero() {
		t.Error("it was locked")
	}
	l.meanwhile = func() {}
	if err := w.Lock(t.Context(), ipc.LockRequest{Force: true}); err != nil {
		t.Fatal(err)
	}
	_, err := w.Add(t.Context(), ephemeral(request("late", "s3cr3t-2")))
	refused(t, err, ipc.CodeLocked)
}
