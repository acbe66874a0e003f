package main

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Many who watch one folder share one watch, each hears of a change, and nothing is
// left when the last one has gone.
func TestFoldersShare(t *testing.T) {
	t.Parallel()
	const many = 200
	dir, f := t.TempDir(), &folders{}
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	heard := make([]chan struct{}, many)
	for i := range many {
		heard[i] = make(chan struct{}, 100)
		watching.Go(func() { f.watch(ctx, dir, func() { heard[i] <- struct{}{} }) })
	}
	hear := func(what string) {
		for i := range many {
			select {
			case <-heard[i]:
			case <-time.After(10 * time.Second):
				t.Fatalf("%s: %d hears nothing", what, i)
			}
		}
	}
	hear("at the beginning")
	f.mu.Lock()
	if len(f.open) != 1 || len(f.open[dir].wants) != many {
		t.Errorf("%d watches", len(f.open))
	}
	f.mu.Unlock()
	for i := range many { // the folder's own first word may have come as well
		select {
		case <-heard[i]:
		default:
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	hear("after a change")
	cancel()
	watching.Wait()
	if len(f.open) != 0 {
		t.Errorf("%d watches are left", len(f.open))
	}
}
