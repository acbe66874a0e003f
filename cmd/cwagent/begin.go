package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/ledger"
	"github.com/cwagent/cwagent/ipc"
)

// beginWait is how long a request waits for an agent that has yet to begin. It is
// less than the plugin's own deadline.
const beginWait = 1500 * time.Millisecond

// A beginning is over when the agent can answer. Until then requests wait, or hear
// why it cannot: whoever runs the agent again and again would not make it better, and
// nobody would know why.
type beginning struct {
	over chan struct{}
	why  atomic.Pointer[ipc.Error] // what stands in its way; nil: nothing so far
}

// wait is what server.Server wants to know.
func (b *beginning) wait(ctx context.Context) error {
	select {
	case <-b.over:
		return nil
	default:
	}
	if why := b.why.Load(); why != nil && why.Code != ipc.CodeExists {
		return why // it does not pass by itself
	}
	late := time.NewTimer(beginWait)
	defer late.Stop()
	select {
	case <-b.over:
		return nil
	case <-ctx.Done():
	case <-late.C:
	}
	if why := b.why.Load(); why != nil {
		return why
	}
	return ctx.Err()
}

// isOver reports whether the agent can answer.
func (b *beginning) isOver() bool {
	select {
	case <-b.over:
		return true
	default:
		return false
	}
}

// begin makes a the only agent at its socket and at its state, and reads that. After
// an error it may be called again.
func (r *agentRun) begin(a *agent.Agent) error {
	if r.unable != nil {
		return unable(r.unable)
	}
	if err := r.socket.TryLock(); err != nil {
		return err
	}
	lock := error(nil)
	if r.owned == nil { // it may have been left to us
		r.owned, lock = (&ledger.File{Dir: r.state}).Own()
	}
	if elsewhere(lock) {
		return lock
	}
	if err := a.Restore(); err != nil {
		r.release()
		return err
	}
	if lock != nil { // a folder that nobody can write to needs none
		r.log.Warn("state not locked: another agent would not notice this one", "error", lock)
	}
	close(r.beginning.over)
	return nil
}

// release lets another agent have the state.
func (r *agentRun) release() {
	if r.owned != nil && !r.again.Load() {
		r.owned.Release()
		r.owned = nil
	}
}

// untilBegun tries again until the agent has begun, less and less often, and reports
// whether it has before ctx ended. err is why it has not so far.
func (r *agentRun) untilBegun(ctx context.Context, a *agent.Agent, status *supervisor, err error) bool {
	for since, said := time.Now(), ""; err != nil; err = r.begin(a) {
		if why := whyNot(err); why.What != said {
			said = why.What
			r.beginning.why.Store(why)
			level := slog.LevelError
			if elsewhere(why) {
				level = slog.LevelWarn
			}
			r.log.Log(ctx, level, "not serving yet", "why", why.What)
			status.note()
		}
		if pause(ctx, since) != nil {
			return false
		}
		if elsewhere(err) {
			a.Inherit() // that one may have something for us
		}
	}
	status.note()
	return true
}

// pause is what lies between two attempts, the longer the more time has passed since
// the first. Its error is ctx's.
func pause(ctx context.Context, since time.Time) error {
	sleep(ctx, min(max(time.Since(since)/10, 20*time.Millisecond), time.Second))
	return ctx.Err()
}

// whyNot is err as somebody reads it who asks an agent that has yet to begin.
func whyNot(err error) *ipc.Error {
	var e *ipc.Error
	switch {
	case !errors.As(err, &e):
		return &ipc.Error{Code: ipc.CodeInternal, What: "agent: it cannot begin: " + err.Error(), Hint: "it tries again by itself"}
	case elsewhere(err):
		return &ipc.Error{Code: e.Code, What: "agent: it cannot begin yet: " + strings.TrimPrefix(e.What, "agent: "), Hint: "end the other one, if it does not leave by itself"}
	}
	return e
}

// unable is an error of this agent's own environment, which is not the one of whoever
// reads it.
func unable(err error) error {
	var e *ipc.Error
	if !errors.As(err, &e) {
		return err
	}
	return &ipc.Error{Code: e.Code, What: "agent: it cannot begin: " + strings.TrimPrefix(e.What, "agent: "), Hint: unableHint}
}

const unableHint = "its environment is the service manager's: systemctl --user show-environment; then: cwagent service restart"

// elsewhere reports whether another agent has what this one wants.
func elsewhere(err error) bool { return hasCode(err, ipc.CodeExists) }
