package agent_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// errStore is what a broken store says. It holds nothing that a log may not.
var errStore = errors.New("no reply from the bus")

// liar is a store that says yes and gives back something else.
type liar struct {
	*disk
	get func() (ipc.Secret, error)
}

func (l liar) Get(context.Context, string) (ipc.Secret, error) { return l.get() }

// faults are stores that do not take a token, over a good one, and what they say.
var faults = []struct {
	name string
	over func(good *disk) agent.Store
	want string
}{
	{"cannot write", failing("put"), errStore.Error()},
	{"cannot read back", failing("get"), errStore.Error()},
	{"cannot do anything", func(*disk) agent.Store {
		return &disk{hook: func(context.Context, string) error { return errStore }}
	}, errStore.Error()},
	{"forgets", lying(ipc.Secret{}, errors.New("not in the store")), "not in the store"},
	{"gives back another", lying(ipc.NewSecret("s3cr3t-0"), nil), "another value"},
	{"gives back nothing", lying(ipc.Secret{}, nil), "another value"},
}

func failing(op string) func(*disk) agent.Store {
	return func(good *disk) agent.Store {
		return &disk{secrets: good.secrets, hook: func(_ context.Context, did string) error {
			if did == op {
				return errStore
			}
			return nil
		}}
	}
}

func lying(s ipc.Secret, err error) func(*disk) agent.Store {
	return func(good *disk) agent.Store { return liar{good, func() (ipc.Secret, error) { return s, err }} }
}

// A store that does not take a token leaves everything as it was where the token
// is a new one, and nothing of it behind.
func TestStoreFails(t *testing.T) {
	t.Parallel()
	for _, tt := range faults {
		w := newWorld(t)
		w.add(request("prod", "s3cr3t-1"))
		before := w.status("prod")
		w.SetStore(tt.over(w.disk))
		for _, r := range []ipc.AddRequest{request("new", "s3cr3t-2"), waiting(request("prod", "s3cr3t-2"))} {
			_, err := w.Add(t.Context(), r)
			if e := refused(t, err, ipc.CodeStore); !strings.Contains(e.What, tt.want) || !strings.Contains(e.What, "store disk") {
				t.Errorf("%s: %q", tt.name, e.What)
			}
		}
		if s, _ := w.Status(t.Context(), ipc.StatusRequest{}); len(s.Credentials) != 1 {
			t.Errorf("%s: %+v", tt.name, s.Credentials)
		}
		if after := w.status("prod"); after.Revision != before.Revision || !after.Saved || len(after.Standby) != 0 {
			t.Errorf("%s: %+v", tt.name, after)
		}
		w.serves("prod", "s3cr3t-1")
		w.holdsOnly("s3cr3t-1")
	}
}

// One that replaces another is served all the same, and said not to be saved; it
// is once the store takes it, without a restart, and a restart before that goes
// back to the other.
func TestStoreFailsReplacement(t *testing.T) {
	t.Parallel()
	for _, tt := range faults {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.add(request("prod", "s3cr3t-1"))
			w.SetStore(tt.over(w.disk))
			reply := w.add(replacing(request("prod", "s3cr3t-2")))
			c := reply.Credential
			if reply.Outcome != ipc.OutcomeReplaced || c.State != ipc.StateValid || c.Saved || reply.Retired == nil {
				t.Errorf("%s: %+v", tt.name, reply)
			}
			if !strings.HasPrefix(c.Unsaved, "since ") || !strings.Contains(c.Unsaved, "store disk") || !strings.Contains(c.Unsaved, tt.want) {
				t.Errorf("%s: %q", tt.name, c.Unsaved)
			}
			w.serves("prod", "s3cr3t-2")
			w.holdsOnly("s3cr3t-1")

			text := w.ledger.text
			next := again(t, w)
			next.serves("prod", "s3cr3t-1")
			if c := next.status("prod"); !c.Saved || len(c.Retiring) != 0 {
				t.Errorf("%s, after a restart: %+v", tt.name, c)
			}
			w.holdsOnly("s3cr3t-1")
			w.ledger.text = text

			w.SetStore(w.disk) // the cause is gone
			w.set(noon.Add(time.Minute))
			stop := w.run()
			defer stop()
			synctest.Wait()
			if c := w.status("prod"); !c.Saved || c.Unsaved != "" {
				t.Errorf("%s: %+v", tt.name, c)
			}
			w.logged("not saved", 1)
			w.logged("saved at last", 1)
			w.serves("prod", "s3cr3t-2")
			w.holdsOnly("s3cr3t-1", "s3cr3t-2")
		})
	}
}

// Tokens that cannot be deleted are no reason to keep using them, and go when
// they can.
func TestStoreKeepsOldToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var stuck atomic.Bool
	stuck.Store(true)
	w.disk.hook = func(_ context.Context, op string) error {
		if op == "delete" && stuck.Load() {
			return errStore
		}
		return nil
	}
	w.add(request("prod", "s3cr3t-1"))
	w.add(replacing(request("prod", "s3cr3t-2")))
	w.serves("prod", "s3cr3t-2")
	w.logged("unused token stays in the store for now", 0)
	w.done(w.gave("prod").Label)
	if c := w.status("prod"); len(c.Retiring) != 0 {
		t.Errorf("%+v", c)
	}
	_ = w.Forget(t.Context(), ipc.ForgetRequest{Name: "prod"})
	if got, _, _ := w.fetch("prod", home); got != "" {
		t.Errorf("%q after forget", got)
	}
	w.logged("unused token stays in the store for now", 2)
	w.holdsOnly("s3cr3t-1", "s3cr3t-2")
	stuck.Store(false)
	w.add(request("dev", "s3cr3t-3")) // any change
	w.holdsOnly("s3cr3t-3")
}

// While the store hangs, requests for tokens are answered, status too, and
// other changes give up when their own time is over. A token that is to replace
// another is given out by then.
func TestStoreHangs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	entered := make(chan struct{}, 1)
	w.add(request("prod", "s3cr3t-1"))
	w.disk.hook = func(ctx context.Context, op string) error {
		if op == "put" {
			entered <- struct{}{}
			<-ctx.Done()
		}
		return ctx.Err()
	}
	ctx, cancel := context.WithCancel(t.Context())
	hung := make(chan ipc.AddReply, 1)
	go func() { hung <- w.addFor(ctx, replacing(request("prod", "s3cr3t-2"))) }()
	<-entered

	w.serves("prod", "s3cr3t-2")
	if c := w.status("prod"); c.State != ipc.StateValid || c.Saved || len(c.Retiring) != 1 {
		t.Errorf("%+v", c)
	}
	if s, err := w.Token(t.Context(), ipc.TokenRequest{Name: "prod"}); err != nil || s.Reveal() != "s3cr3t-2" {
		t.Error(err)
	}
	late, stop := context.WithDeadline(t.Context(), time.Now())
	defer stop()
	_, err := w.Add(late, request("dev", "s3cr3t-3"))
	refused(t, err, ipc.CodeTimeout)
	refused(t, w.Forget(late, ipc.ForgetRequest{Name: "prod"}), ipc.CodeTimeout)
	_, err = w.Servers(late, ipc.ServersRequest{Name: "prod"})
	refused(t, err, ipc.CodeTimeout)

	cancel()
	if c := (<-hung).Credential; c.Saved || !strings.Contains(c.Unsaved, "store disk: ") {
		t.Errorf("%+v", c)
	}
	w.serves("prod", "s3cr3t-2")
	w.holdsOnly("s3cr3t-1")
	w.disk.hook = nil
	w.set(noon.Add(time.Minute))
	again := w.add(request("prod", "s3cr3t-2")) // who asks again is told when it is saved
	if c := again.Credential; again.Outcome != ipc.OutcomeExtended || !c.Saved || c.Unsaved != "" {
		t.Errorf("%+v", c)
	}
	w.serves("prod", "s3cr3t-2")
	w.holdsOnly("s3cr3t-1", "s3cr3t-2")
}

// addFor is add for other goroutines than the test's own.
func (w *world) addFor(ctx context.Context, r ipc.AddRequest) ipc.AddReply {
	reply, err := w.Add(ctx, r)
	if err != nil {
		w.t.Error(err)
	}
	return reply
}
