package agent_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
)

// A store that does not answer costs nobody anything, however many tokens are
// renewed meanwhile: no request goes without, the store is left alone for ever
// longer, and when it answers again all is saved.
func TestSilentStore(t *testing.T) {
	const many = 200
	running(t, func(w *world) {
		var hung atomic.Bool
		w.disk.hook = func(ctx context.Context, _ string) error {
			if !hung.Load() {
				return nil
			}
			<-ctx.Done()
			return fmt.Errorf("%w: does not answer", agent.ErrAbsent)
		}
		sources := map[string]agent.Source{}
		for i := range many {
			sources[fmt.Sprintf("c%d", i)] = &tap{life: 20 * time.Minute}
		}
		w.configure(sources)
		time.Sleep(time.Minute)
		hung.Store(true)
		w.disk.took()
		for range 60 {
			time.Sleep(time.Minute)
			for i := range many {
				start := time.Now()
				if got, err := fetchToken(w, fmt.Sprintf("c%d", i)); got == "" || time.Since(start) > 0 {
					w.t.Fatalf("c%d: %v, after %v", i, err, time.Since(start))
				}
			}
		}
		hung.Store(false)
		time.Sleep(2 * time.Minute)
		for i := range many {
			if c := w.status(fmt.Sprintf("c%d", i)); !c.Saved || c.Unsaved != "" {
				w.t.Fatalf("%s: saved %v, %s", c.Name, c.Saved, c.Unsaved)
			}
		}
		if n := len(w.disk.holds()); n < many {
			w.t.Errorf("%d tokens in the store", n)
		}
		if !slices.Contains(w.disk.took(), "put") {
			w.t.Error("nothing was put")
		}
	})
}
