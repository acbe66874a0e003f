package agent

import (
	"context"

	"github.com/cwagent/cwagent/ipc"
)

// changing waits for its turn to change credentials, at most as long as ctx
// lives, and takes over what other agents have changed. The caller calls done.
func (a *Agent) changing(ctx context.Context) (done func(), err error) {
	leave, err := a.turn(ctx)
	if err != nil {
		return nil, err
	}
	if since, _ := a.locked(); !since.IsZero() {
		leave()
		return nil, ErrAgentLocked(since, a.Now())
	}
	unlock := a.share(ctx)
	done = func() { unlock(); leave() }
	if ctx.Err() != nil {
		done()
		return nil, errBusy
	}
	return done, nil
}

// errBusy is for who has waited for a turn for as long as they could.
var errBusy = &ipc.Error{
	Code: ipc.CodeTimeout,
	What: "agent: another change is still under way",
	Hint: "try again; cwagent status shows the store",
}

// turn is changing without a look at the ledger.
func (a *Agent) turn(ctx context.Context) (leave func(), err error) {
	a.waiters.Add(1)
	defer a.waiters.Add(-1)
	select {
	case a.change <- struct{}{}:
		return func() { <-a.change }, nil
	case <-ctx.Done():
		return nil, errBusy
	}
}
