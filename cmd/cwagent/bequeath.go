package main

import (
	"context"
	"sync"
	"time"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/client"
)

// bequeathPause is how long to wait for an agent that has yet to begin: it waits for
// the state that this one has just left.
const bequeathPause = 20 * time.Millisecond

// bequeath gives what is in memory only to the agent that answers at path from now on:
// nobody has agreed to lose it.
func (r *agentRun) bequeath(ctx context.Context, path string, tokens []ipc.AddRequest) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWait)
	defer cancel()
	r.extended.Store(true)
	heir := client.Client{Path: path}
	var all sync.WaitGroup
	defer all.Wait()
	for _, t := range tokens {
		all.Go(func() { // one that has to wait for the store holds up no other
			_, err := heir.Add(ctx, t)
			for hasCode(err, ipc.CodeExists, ipc.CodeUnreachable) && sleep(ctx, bequeathPause) {
				_, err = heir.Add(ctx, t)
			}
			if err != nil {
				r.log.Error("a token in memory only is lost", "credential", t.Name, "error", err)
				return
			}
			r.log.Info("a token in memory only was handed over", "credential", t.Name, "to", path)
		})
	}
}

// sleep reports whether ctx lived that long.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
