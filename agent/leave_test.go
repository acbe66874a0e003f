package agent_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// An agent that is asked to leave saves first what it could not save before, at
// once, and stays where that does not work.
func TestLeave(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	ended := 0
	w := newWorld(t)
	w.disk.hook = func(context.Context, string) error {
		if broken.Load() {
			return agent.ErrAbsent
		}
		return nil
	}
	w.Agent.End = func() { ended++ }
	w.add(request("prod", "s3cr3t-1"))
	broken.Store(true)
	next := request("prod", "s3cr3t-2")
	next.Replace = true
	if _, err := w.Add(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	var e *ipc.Error
	if err := w.Leave(t.Context(), ipc.LeaveRequest{}); !errors.As(err, &e) || !strings.HasSuffix(e.What, "gone when it leaves: prod") {
		t.Errorf("with nothing but memory: %v", err)
	}
	if ended != 0 {
		t.Error("it left, and lost a token")
	}
	broken.Store(false)
	if err := w.Leave(t.Context(), ipc.LeaveRequest{Stay: true}); err != nil || ended != 0 || !w.status("prod").Saved {
		t.Errorf("only to save: %v, ended %d, %+v", err, ended, w.status("prod"))
	}
	if err := w.Leave(t.Context(), ipc.LeaveRequest{}); err != nil || ended != 1 {
		t.Errorf("with all saved: %v, ended %d", err, ended)
	}
}

// An agent that takes the place of another one has requests wait for what that one is
// about to hand over, and not for longer.
func TestInherit(t *testing.T) {
	running(t, func(w *world) {
		w.add(ephemeral(request("brief", "s3cr3t-1")))
		legacy := w.Legacy()
		next := w.restart()
		next.clock = time.Now
		next.Inherit()
		defer next.run()()
		start, got := time.Now(), make(chan string)
		go func() { token, _ := fetchToken(next, "brief"); got <- token }()
		time.Sleep(time.Second)
		for _, r := range legacy {
			next.add(r)
		}
		if token := <-got; token != "s3cr3t-1" || time.Since(start) != time.Second {
			t.Errorf("%q after %v", token, time.Since(start))
		}
		last := w.restart()
		last.clock = time.Now
		last.Inherit()
		defer last.run()()
		start = time.Now()
		if token, _ := fetchToken(last, "brief"); token != "" || time.Since(start) > 2*time.Second {
			t.Errorf("nobody hands anything over: %q after %v", token, time.Since(start))
		}
	})
}
