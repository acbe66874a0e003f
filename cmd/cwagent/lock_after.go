package main

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/wall"
	"github.com/cwagent/cwagent/ipc"
)

// lockAfter locks the agent when no token was given out for so long.
type lockAfter struct {
	limit   atomic.Int64  // nanoseconds; 0: never
	changed chan struct{} // has room for one
}

func (l *lockAfter) set(d time.Duration) {
	l.limit.Store(int64(d))
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// run waits by the wall clock, which a laptop that sleeps does not stop, until ctx
// ends. What is not saved is not lost for it: then that is tried again.
func (l *lockAfter) run(ctx context.Context, a *agent.Agent, log *slog.Logger) {
	alarm := wall.New()
	defer alarm.Close()
	began := time.Now().Round(0) // the process is older, if it was locked at first: that is not idle
	for said := ""; ; {
		var next time.Time
		if limit := time.Duration(l.limit.Load()); limit > 0 {
			last := a.LastGiven()
			if last.Before(began) {
				last = began
			}
			if next = last.Add(limit); !next.After(time.Now()) {
				err := a.Lock(ctx, ipc.LockRequest{})
				if err != nil && err.Error() != said {
					said = err.Error()
					log.Warn("not locked, although nobody has asked for a token", "for", limit, "why", err)
				}
				next = time.Now().Add(limit)
			}
		}
		alarm.Set(next)
		select {
		case <-ctx.Done():
			return
		case <-l.changed:
		case <-alarm.Rings():
		}
	}
}
