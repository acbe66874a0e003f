package main

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// A request waits for an agent whose turn has yet to come, hears at once what does not
// pass by itself, and never waits for longer than a plugin does.
func TestBeginning(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := beginning{over: make(chan struct{})}
		wait := func(want error, took time.Duration) {
			t.Helper()
			start := time.Now()
			if err := b.wait(t.Context()); !errors.Is(err, want) || time.Since(start) != took {
				t.Errorf("%v after %v, want %v after %v", err, time.Since(start), want, took)
			}
		}
		other, newer := &ipc.Error{Code: ipc.CodeExists}, &ipc.Error{Code: ipc.CodeInvalid}
		b.why.Store(other)
		wait(other, beginWait)
		b.why.Store(newer)
		wait(newer, 0)
		b.why.Store(other)
		time.AfterFunc(time.Second, func() { close(b.over) })
		wait(nil, time.Second)
		wait(nil, 0)
	})
}
