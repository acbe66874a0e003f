package agent_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

func TestRecognize(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(request("b", "s3cr3t-1"))
	w.add(replacing(request("b", "s3cr3t-2")))
	w.add(request("a", "s3cr3t-2"))
	r := request("a", "s3cr3t-1")
	r.Standby = true
	w.add(r)
	r = request("mem", "s3cr3t-3")
	r.Ephemeral = true
	w.add(r)
	want := func(secret string, holdings ...string) {
		t.Helper()
		var got []string
		for _, h := range w.Recognize(ipc.NewSecret(secret)) {
			if h.Label == "" {
				t.Errorf("%+v has no label", h)
			}
			got = append(got, fmt.Sprint(h.Credential, " ", h.Current, " ", h.Saved))
		}
		if fmt.Sprint(got) != fmt.Sprint(holdings) {
			t.Errorf("%s: %q, want %q", secret, got, holdings)
		}
	}
	want("s3cr3t-2", "a true true", "b true true")
	want("s3cr3t-1", "a false true", "b false true")
	want("s3cr3t-3", "mem true false")
	want("s3cr3t-4")
	want("")
}

// What gave way is compared with what the store has, and where that is not to be
// had nobody knows.
func TestFormer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(request("a", "CW-SECRET-s3cr3t-0"))
	for i := 1; i <= 5; i++ {
		r := replacing(request("a", fmt.Sprintf("CW-SECRET-s3cr3t-%d", i)))
		r.ID = fmt.Sprintf("cwtoken-%d", i)
		w.add(r)
	}
	next := w.restart()
	want := func(secret, id string, former bool, code ipc.Code) {
		t.Helper()
		_, got, err := next.Former(t.Context(), "a", ipc.NewSecret(secret), id)
		var e *ipc.Error
		if errors.As(err, &e); got != former || (e != nil) != (code != 0) || e != nil && (e.Code != code || e.Hint == "") {
			t.Errorf("%s: %v, %v", secret, got, err)
		}
	}
	for i := 1; i <= 4; i++ {
		want(fmt.Sprintf("CW-SECRET-s3cr3t-%d", i), "", true, 0)
	}
	// The first of them is not kept any more, and has no public id to tell.
	want("CW-SECRET-s3cr3t-0", "", false, ipc.CodeInvalid)
	want("CW-SECRET-s3cr3t-9", "cwtoken-9", false, ipc.CodeInvalid)
	gone := next.status("a").Retiring
	if _, err := next.Retired(t.Context(), ipc.RetiredRequest{Done: gone[len(gone)-1].Label}); err != nil {
		t.Fatal(err)
	}
	want("CW-SECRET-s3cr3t-9", "", false, 0)
	if _, _, err := next.Former(t.Context(), "b", ipc.NewSecret("x"), ""); err == nil {
		t.Error("no such credential, and no error")
	}

	last := w.restart()
	w.disk.item = func(context.Context, string) error { return agent.ErrLocked }
	next = last
	want("CW-SECRET-s3cr3t-1", "", false, ipc.CodeStore)
	want("CW-SECRET-s3cr3t-9", "cwtoken-9", false, 0) // none has that public id
}

func TestChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	calls := 0 // under the agent's lock
	w.Agent.Changed = func() { calls++ }
	w.Agent.Watched = func() []ipc.Watch { return []ipc.Watch{{Path: "/x", At: time.Unix(1, 0)}} }
	w.add(request("a", "s3cr3t-1"))
	if calls == 0 {
		t.Error("a new credential is nothing new")
	}
	calls = 0
	if err := w.Forget(t.Context(), ipc.ForgetRequest{Name: "a"}); err != nil || calls == 0 {
		t.Errorf("forgotten: %v, %d calls", err, calls)
	}
	if s, err := w.Status(t.Context(), ipc.StatusRequest{}); err != nil || len(s.Watched) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
}

// A dry run tells of a token that gave way, in whose name it is, after a restart as
// well; not for a server that the credential is not bound to.
func TestDryRunTellsFormer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(request("a", "CW-SECRET-s3cr3t-1"))
	w.add(replacing(request("a", "CW-SECRET-s3cr3t-2")))
	w = w.restart()
	defer w.run()()
	w.serves("a", "CW-SECRET-s3cr3t-2")
	want := func(what string, r ipc.AddRequest, former bool) {
		t.Helper()
		reply, err := w.Add(t.Context(), r)
		if err != nil || (reply.Former != nil) != former {
			t.Errorf("%s: %+v, %v", what, reply.Former, err)
		} else if gone := w.status("a").Retiring[0]; former && reply.Former.Label != gone.Label {
			t.Errorf("%s: %+v, not %+v", what, reply.Former, gone)
		}
	}
	r := request("b", "CW-SECRET-s3cr3t-1")
	r.DryRun = true
	want("a new name", r, true)
	r.Name = "a"
	want("its own name", r, true)
	r.Servers = append(r.Servers, ipc.Server{URL: "https://other.example.com"})
	r.Name = "b"
	want("another server", r, false)
	r = request("b", "CW-SECRET-s3cr3t-2")
	r.DryRun = true
	want("the current one", r, false)
	r.Secret, r.DryRun = ipc.NewSecret("CW-SECRET-s3cr3t-1"), false
	want("no dry run", r, false)
}
