package agent_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

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

// A store that does not take a token leaves everything as it was, and nothing
// of the token behind.
func TestStoreFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(request("prod", "s3cr3t-1"))
	before := w.status("prod")
	good := w.disk
	failing := func(op string) *disk {
		return &disk{secrets: good.secrets, hook: func(_ context.Context, did string) error {
			if did == op {
				return errStore
			}
			return nil
		}}
	}
	tests := []struct {
		name string
		turn func()
		want string
	}{
		{"cannot write", func() { w.Store = failing("put") }, errStore.Error()},
		{"cannot read back", func() { w.Store = failing("get") }, errStore.Error()},
		{"cannot do anything", func() { w.Store = &disk{hook: func(context.Context, string) error { return errStore }} }, errStore.Error()},
		{"forgets", func() {
			w.Store = liar{good, func() (ipc.Secret, error) { return ipc.Secret{}, errors.New("not in the store") }}
		}, "not in the store"},
		{"gives back another", func() {
			w.Store = liar{good, func() (ipc.Secret, error) { return ipc.NewSecret("s3cr3t-0"), nil }}
		}, "another value"},
		{"gives back nothing", func() { w.Store = liar{good, func() (ipc.Secret, error) { return ipc.Secret{}, nil }} }, "another value"},
	}
	for _, tt := range tests {
		tt.turn()
		for _, r := range []ipc.AddRequest{request("new", "s3cr3t-2"), replacing(request("prod", "s3cr3t-2"))} {
			_, err := w.Add(t.Context(), r)
			if e := refused(t, err, ipc.CodeStore); !strings.Contains(e.What, tt.want) || !strings.Contains(e.What, "store disk") {
				t.Errorf("%s: %q", tt.name, e.What)
			}
		}
		if s, _ := w.Status(t.Context(), ipc.StatusRequest{}); len(s.Credentials) != 1 {
			t.Errorf("%s: %+v", tt.name, s.Credentials)
		}
		if after := w.status("prod"); !after.Added.Equal(before.Added) || !after.Saved {
			t.Errorf("%s: %+v", tt.name, after)
		}
		w.serves("prod", "s3cr3t-1")
		if got := good.holds(); !slices.Equal(got, []string{"s3cr3t-1"}) {
			t.Errorf("%s: the store holds %q", tt.name, got)
		}
	}
	w.Store = good // the cause is gone
	w.add(replacing(request("prod", "s3cr3t-2")))
	w.serves("prod", "s3cr3t-2")
}

// An old token that cannot be deleted is no reason to keep using it.
func TestStoreKeepsOldToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.disk.hook = func(_ context.Context, op string) error {
		if op == "delete" {
			return errStore
		}
		return nil
	}
	w.add(request("prod", "s3cr3t-1"))
	w.add(replacing(request("prod", "s3cr3t-2")))
	w.serves("prod", "s3cr3t-2")
	_ = w.Forget(t.Context(), ipc.ForgetRequest{Name: "prod"})
	if got, _, _ := w.fetch("prod", home); got != "" {
		t.Errorf("%q after forget", got)
	}
	if log := w.log.String(); strings.Count(log, errStore.Error()) != 2 {
		t.Errorf("log:\n%s", log)
	}
}

// While the store hangs, requests for tokens are answered, status too, and
// other changes give up when their own time is over.
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
	hung := make(chan error, 1)
	go func() {
		_, err := w.Add(ctx, replacing(request("prod", "s3cr3t-2")))
		hung <- err
	}()
	<-entered

	w.serves("prod", "s3cr3t-1")
	if c := w.status("prod"); c.State != ipc.StateValid {
		t.Errorf("%+v", c)
	}
	if s, err := w.Token(t.Context(), ipc.TokenRequest{Name: "prod"}); err != nil || s.Reveal() != "s3cr3t-1" {
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
	refused(t, <-hung, ipc.CodeStore)
	w.serves("prod", "s3cr3t-1")
	w.disk.hook = nil
	w.add(replacing(request("prod", "s3cr3t-2")))
	w.serves("prod", "s3cr3t-2")
}
