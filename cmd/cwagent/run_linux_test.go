package main

import (
	"context"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// An interrupt that has come when run lets go of the signals has ended the context.
func TestNoInterruptIsLost(t *testing.T) {
	guard := make(chan os.Signal, 1) // what is lost would end the tests, or be seen by nobody
	signal.Notify(guard, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(guard)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		for i := range 200 {
			ctx, deaf := hearing()
			if err := unix.Tgkill(os.Getpid(), unix.Gettid(), s); err != nil { // to this thread: it has it on return
				t.Fatal(err)
			}
			deaf()
			if ctx.Err() != context.Canceled {
				t.Fatalf("%v number %d is lost", s, i)
			}
		}
	}
	ctx, deaf := hearing()
	deaf()
	deaf()
	if ctx.Err() != nil {
		t.Error("nobody has interrupted")
	}
}
