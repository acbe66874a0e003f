package main

import (
	"errors"
	"testing"

	"github.com/kardianos/service"
)

var errEnded = errors.New("ended")

// What a run says when it ends by itself is heard; a service manager that wants it to
// end waits until it has.
func TestLiveAsService(t *testing.T) {
	t.Parallel()
	if err := liveAsService(func() error { return errEnded }, func() {}); err != errEnded {
		t.Errorf("by itself: %v", err)
	}
	told := make(chan struct{})
	l := &lifecycle{serve: func() error { <-told; return errEnded }, end: func() { close(told) }, done: make(chan struct{})}
	var _ service.Interface = l
	if err := errors.Join(l.Start(nil), l.Stop(nil)); err != nil || l.err != errEnded {
		t.Errorf("by the manager: %v, %v", err, l.err)
	}
}
