package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
	"k8s.io/klog/v2"

	"github.com/cwagent/cwagent/cmd/testbed/internal/control"
)

const (
	startTime = 3 * time.Minute
	// An API server with open watches takes its time to say goodbye, and nothing here is worth saving.
	stopTime = 3 * time.Second
)

func newUp(stderr *os.File) *cobra.Command {
	var expired int
	var keysLife time.Duration
	cmd := &cobra.Command{
		Use:   "up DIR",
		Short: "Run everything until SIGINT or SIGTERM, or until DIR is removed",
		Args:  want(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if expired != 401 && expired != 403 {
				return fmt.Errorf("expired-status %d: want 401 or 403", expired)
			}
			return up(cmd.Context(), stderr, args[0], expired == 403, keysLife)
		},
	}
	cmd.Flags().IntVar(&expired, "expired-status", 401, "what the API server answers to a dead token: 401, or 403 as CKS does")
	cmd.Flags().DurationVar(&keysLife, "keys-life", 15*time.Minute, "how long object storage keys live")
	return cmd
}

func up(ctx context.Context, stderr *os.File, dir string, refuse bool, keysLife time.Duration) error {
	f, err := openFolder(dir)
	if err != nil {
		return err
	}
	defer f.close()
	if err := redirect(stderr, f); err != nil {
		return err
	}

	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	// A second signal ends us on the spot.
	defer context.AfterFunc(ctx, stop)()

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	b, err := newBed(f, refuse, keysLife)
	if err != nil {
		return err
	}
	surviveFatal(ctx, stderr, f, b)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := b.serve(ctx); err != nil {
			cancel(fmt.Errorf("%w (see %s)", err, f.in("log")))
		}
		cancel(nil)
	}()
	watch(ctx, cancel, f, b, stderr)
	select {
	case <-ended:
	case <-time.After(stopTime):
		b.clear()
	}
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

// watch announces the bed when it is ready, and returns when there is a reason to stop.
func watch(ctx context.Context, cancel context.CancelCauseFunc, f *folder, b *bed, stderr io.Writer) {
	late := time.After(startTime)
	ready := b.ready
	every := time.NewTicker(time.Second)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ready:
			ready, late = nil, nil
			if err := writeFile(f.in("ready"), fmt.Appendln(nil, os.Getpid())); err != nil {
				cancel(err)
				return
			}
			fmt.Fprintf(stderr, "testbed: ready: API server %s, stand-in %s\n", b.info.Servers[0], b.info.StandIn)
		case <-late:
			cancel(fmt.Errorf("up %s: not ready after %s (see %s)", f.path, startTime, f.in("log")))
		case <-every.C:
			if !f.exists() {
				cancel(fmt.Errorf("up %s: the folder is gone", f.path))
			}
		}
	}
}

// redirect sends what the libraries print to the log. A crash is reported in both places.
func redirect(stderr *os.File, f *folder) error {
	if err := unix.Dup2(int(f.log.Fd()), int(os.Stderr.Fd())); err != nil {
		return fmt.Errorf("redirect to log: %w", err)
	}
	if err := debug.SetCrashOutput(stderr, debug.CrashOptions{}); err != nil {
		return fmt.Errorf("redirect crashes: %w", err)
	}
	return nil
}

// surviveFatal is for the places where the libraries end the whole process. They do so, too, when told to stop in the
// middle of a start: that is no error then.
func surviveFatal(ctx context.Context, stderr io.Writer, f *folder, b *bed) {
	klog.OsExit = func(code int) {
		if ctx.Err() != nil {
			code = 0
		} else {
			printError(stderr, &control.Hinted{
				Err:  fmt.Errorf("up %s: the API server gave up", f.path),
				Hint: "the reason stands at the end of " + f.in("log"),
			})
		}
		b.clear()
		f.close()
		os.Exit(code)
	}
}
