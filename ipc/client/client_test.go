package client_test

import (
	"context"
	"errors"
	"reflect"
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

func (b broken) Rotate(context.Context, ipc.RotateRequest) (ipc.RotateReply, error) {
	return ipc.RotateReply{From: "half"}, b.err
}

func (b broken) Retired(context.Context, ipc.RetiredRequest) (ipc.RetiredReply, error) {
	return ipc.RetiredReply{Tokens: make([]ipc.Retiring, 1)}, b.err
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
		rotated, rotateErr := c.Rotate(t.Context(), ipc.RotateRequest{})
		list, retiredErr := c.Retired(t.Context(), ipc.RetiredRequest{})
		reply, fetchErr := c.Fetch(t.Context(), ipc.FetchRequest{})
		for _, err := range []error{statusErr, rotateErr, retiredErr, fetchErr} {
			var e *ipc.Error
			if !errors.As(err, &e) || *e != want {
				t.Errorf("%+v came as %#v", want, err)
			}
		}
		if reply.Stdout != nil || rotated.From != "" || list.Tokens != nil {
			t.Errorf("half an answer came with an error: %q, %+v, %+v", reply.Stdout, rotated, list)
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
	_, doneErr := c.Retired(t.Context(), ipc.RetiredRequest{Done: strings.Repeat("x", ipc.MaxJSON)})
	_, rotateErr := c.Rotate(t.Context(), ipc.RotateRequest{Name: strings.Repeat("x", ipc.MaxJSON)})
	_, nameErr := c.Status(t.Context(), ipc.StatusRequest{Name: strings.Repeat("x", ipc.MaxJSON)})
	_, fetchErr := c.Fetch(t.Context(), ipc.FetchRequest{Name: "x", ExecInfo: []byte(large)})
	for _, err := range []error{addErr, nameErr, doneErr, rotateErr, fetchErr} {
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

// said is what an agent was asked, and an answer with everything in it.
type said struct {
	ipc.Agent
	rotate  ipc.RotateRequest
	retired ipc.RetiredRequest
	answer  ipc.RotateReply
}

func (s *said) Rotate(_ context.Context, r ipc.RotateRequest) (ipc.RotateReply, error) {
	s.rotate = r
	return s.answer, nil
}

func (s *said) Retired(_ context.Context, r ipc.RetiredRequest) (ipc.RetiredReply, error) {
	s.retired = r
	return ipc.RetiredReply{Tokens: s.answer.Credential.Retiring}, nil
}

// Nothing of a rotation is lost on the way.
func TestRotationSurvives(t *testing.T) {
	t.Parallel()
	at := time.Date(2031, 2, 3, 4, 5, 6, 789, time.UTC)
	gone := ipc.Retiring{
		Credential: "prod", ID: "cwtoken-1", Label: "#5f3a9c01", Since: at, Expiry: ipc.ExpiryKnown, Expires: &at, Kept: true, Delete: true,
	}
	a := &said{answer: ipc.RotateReply{From: "command", Retired: &gone, Credential: ipc.Credential{
		Name: "prod", Revision: 1<<64 - 1, Source: "command", Unsaved: "the store is locked",
		Renewal:  &ipc.Renewal{Next: &at, Since: &at, Class: "transient", Error: "no network"},
		Standby:  []ipc.Standby{{ID: "cwtoken-2", Label: "#00000000", Expiry: ipc.ExpiryKnown, Expires: &at}},
		Retiring: []ipc.Retiring{gone, {Credential: "prod", Label: "#11111111", Since: at, Expiry: ipc.ExpiryNever}},
	}}}
	c := client.Client{Path: ipctest.Serve(t, a)}
	ask := ipc.RotateRequest{Name: "prod", Rollback: true, AllowIdentityChange: true}
	if reply, err := c.Rotate(t.Context(), ask); err != nil || !reflect.DeepEqual(reply, a.answer) || a.rotate != ask {
		t.Errorf("%+v (%v), want %+v; asked %+v", reply, err, a.answer, a.rotate)
	}
	done := ipc.RetiredRequest{Done: "#5f3a9c01"}
	if reply, err := c.Retired(t.Context(), done); err != nil || !reflect.DeepEqual(reply.Tokens, a.answer.Credential.Retiring) || a.retired != done {
		t.Errorf("%+v (%v), asked %+v", reply, err, a.retired)
	}
}
