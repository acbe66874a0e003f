package agent

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/cwagent/cwagent/ipc"
)

// asksTogether is how many tokens of one request are asked about at a time.
const asksTogether = 8

// AddAll implements ipc.Agent. The book is written as often as for one token.
func (a *Agent) AddAll(ctx context.Context, rs []ipc.AddRequest) ([]ipc.AddReply, error) {
	if err := checkTogether(rs); err != nil {
		return nil, err
	}
	a.catchUp(ctx)
	all, err := a.prepareAll(ctx, rs)
	if err != nil {
		return nil, err
	}
	done, err := a.changing(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	var real []*addition
	inClear := a.inClear(ctx)
	for _, x := range all {
		if err := a.judge(ctx, x, inClear); err != nil {
			return nil, err
		}
		if x.next != nil && !x.request.DryRun {
			real = append(real, x)
		}
	}
	if len(real) > 0 {
		if err := a.install(ctx, real...); err != nil {
			return nil, err
		}
	}
	replies := []ipc.AddReply{}
	for _, x := range all {
		replies = append(replies, a.added(x))
	}
	return replies, nil
}

// prepareAll prepares all additions, and stops at an error.
func (a *Agent) prepareAll(ctx context.Context, rs []ipc.AddRequest) ([]*addition, error) {
	all, errs := make([]*addition, len(rs)), make([]error, len(rs))
	var failed atomic.Bool
	var asking sync.WaitGroup
	room := make(chan struct{}, asksTogether)
	for i, r := range rs {
		if room <- struct{}{}; failed.Load() {
			break
		}
		asking.Go(func() {
			defer func() { <-room }()
			if all[i], errs[i] = a.prepare(ctx, r); errs[i] != nil {
				failed.Store(true)
			}
		})
	}
	asking.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// checkTogether judges requests as far as they are several.
func checkTogether(rs []ipc.AddRequest) error {
	if len(rs) > ipc.MaxTogether {
		return invalid(fmt.Sprintf("add: %d tokens at once", len(rs)), fmt.Sprintf("at most %d", ipc.MaxTogether))
	}
	seen := map[string]bool{}
	for _, r := range rs {
		if r.Replace || r.Standby {
			return invalid("add: credential "+quote(shownName(r.Name))+": a replacement or a standby token is added on its own", "cwagent add")
		}
		if seen[r.Name] {
			return invalid("add: credential "+quote(shownName(r.Name))+": two tokens for one name", "one name for each")
		}
		seen[r.Name] = true
	}
	return nil
}
