package client_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/client"
	"github.com/cwagent/cwagent/ipc/ipctest"
)

// broken is an agent each of whose answers is the same error.
type broken struct {
	ipc.Agent
	err error
}

func (b broken) Status(context.Context, ipc.StatusRequest) (ipc.Status, error) {
	return ipc.Status{}, b.err
}

func (b broken) Fetch(context.Context, ipc.FetchRequest) (ipc.FetchReply, error) {
	return ipc.FetchReply{Stdout: []byte("half")}, b.err
}

// Every code comes through, those of a newer agent too, with what a person
// reads.
func TestErrorsSurvive(t *testing.T) {
	t.Parallel()
	for code := ipc.CodeInternal; code < 100; code += 3 {
		want := ipc.Error{Code: code, What: "what \"quoted\"\n", Hint: "hint"}
		c := client.Client{Path: ipctest.Serve(t, broken{err: &want})}
		_, statusErr := c.Status(t.Context(), ipc.StatusRequest{})
		reply, fetchErr := c.Fetch(t.Context(), ipc.FetchRequest{})
		for _, err := range []error{statusErr, fetchErr} {
			var e *ipc.Error
			if !errors.As(err, &e) || *e != want {
				t.Errorf("%+v came as %#v", want, err)
			}
		}
		if reply.Stdout != nil {
			t.Errorf("half an answer came with an error: %q", reply.Stdout)
		}
	}
}

func TestOtherErrors(t *testing.T) {
	t.Parallel()
	c := client.Client{Path: ipctest.Serve(t, broken{err: errors.New("out of cheese")})}
	_, err := c.Status(t.Context(), ipc.StatusRequest{})
	var e *ipc.Error
	if !errors.As(err, &e) || e.Code != ipc.CodeInternal || e.What != "agent: out of cheese" || e.Hint == "" {
		t.Errorf("%#v", err)
	}
}

// A request that is over the cap is refused in words, not by a broken pipe.
func TestTooLarge(t *testing.T) {
	t.Parallel()
	fake := &ipctest.Fake{}
	c := client.Client{Path: ipctest.Serve(t, fake)}
	large := string(make([]byte, ipc.MaxPart+1))
	_, addErr := c.Add(t.Context(), ipc.AddRequest{Name: "x", Secret: ipc.NewSecret(large), Expiry: ipc.ExpiryNever})
	_, nameErr := c.Status(t.Context(), ipc.StatusRequest{Name: strings.Repeat("x", ipc.MaxJSON)})
	_, fetchErr := c.Fetch(t.Context(), ipc.FetchRequest{Name: "x", ExecInfo: []byte(large)})
	for _, err := range []error{addErr, nameErr, fetchErr} {
		var e *ipc.Error
		if !errors.As(err, &e) || e.Code != ipc.CodeTooLarge {
			t.Errorf("%.200v", err)
		}
	}
	// As many CA bundles as a fetch could not carry.
	if _, err := c.Add(t.Context(), ipc.AddRequest{Name: "y", Secret: ipc.NewSecret("x"), Expiry: ipc.ExpiryNever, DryRun: true,
		CAs: [][]byte{make([]byte, ipc.MaxPart), make([]byte, ipc.MaxPart)}}); err != nil {
		t.Errorf("%.200v", err)
	}
	if s, err := fake.Status(t.Context(), ipc.StatusRequest{}); err != nil || len(s.Credentials) != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	c := client.Client{Path: ipctest.Serve(t, slow{begun: cancel, release: release})}
	if _, err := c.Status(ctx, ipc.StatusRequest{}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled while it waits: %v", err)
	}
	close(release)
	if _, err := c.Status(ctx, ipc.StatusRequest{}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled before: %v", err)
	}
	ctx, cancel = context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if _, err := c.Status(ctx, ipc.StatusRequest{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("past its deadline: %v", err)
	}
}

// slow says that it has begun a status, and ends it when it is released.
type slow struct {
	ipc.Agent
	begun   func()
	release chan struct{}
}

func (s slow) Status(context.Context, ipc.StatusRequest) (ipc.Status, error) {
	s.begun()
	<-s.release
	return ipc.Status{}, nil
}
