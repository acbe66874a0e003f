package main

import (
	"context"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// How long a service manager may take to say how things are, and to do something:
// the agent itself has 10 s to end. One that is stopped, or waits for its disk, does
// not answer at all, and systemctl waits for that for minutes.
const (
	lookWait  = 10 * time.Second
	orderWait = 25 * time.Second
)

// A patience does something that asks a service manager, and gives up after a time,
// or when the command ends for which that is done.
type patience func(wait time.Duration, do func(context.Context) error) error

// newPatience returns a patience for a command, and one for what puts back what the
// command has left half-done: its end does not end that. Who has not answered once,
// which is the error deaf, is not asked again.
func newPatience(ctx context.Context, deaf error) (p, undo patience) {
	silent := false
	until := func(ctx context.Context) patience {
		return func(wait time.Duration, do func(context.Context) error) error {
			if silent {
				return deaf
			}
			ctx, cancel := context.WithTimeout(ctx, wait)
			defer cancel()
			done := make(chan error, 1)
			go func() { done <- do(ctx) }() // kardianos has no end of its own: it is left behind
			select {
			case err := <-done:
				if killed(err) { // by the signal of a terminal, perhaps, which is to reach us as well
					sleep(ctx, time.Second)
				}
				if err == nil || ctx.Err() == nil {
					return err
				}
			case <-ctx.Done():
			}
			if silent = errors.Is(ctx.Err(), context.DeadlineExceeded); silent {
				return deaf
			}
			return ctx.Err()
		}
	}
	return until(ctx), until(context.WithoutCancel(ctx))
}

// killed reports whether a program was ended by a signal.
func killed(err error) bool {
	exit, ok := errors.AsType[*exec.ExitError](err)
	return ok && exit.ExitCode() < 0
}

// doesNotAnswer is the error of a service manager that takes too long.
func doesNotAnswer(hint, who string) error {
	return &ipc.Error{Code: ipc.CodeTimeout, What: "service: " + who + " does not answer", Hint: hint}
}

// gaveUp returns the part of err that says that nobody waited for the service manager
// any more, and nil where it has answered.
func gaveUp(err error) error {
	var e *ipc.Error
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.As(err, &e) && e.Code == ipc.CodeTimeout:
		return e
	}
	return nil
}

// orFail is err for a person: what was done and why it failed, unless nobody waited.
func orFail(err error, hint, what string) error {
	if err == nil || gaveUp(err) != nil {
		return gaveUp(err)
	}
	return fail(hint, "%s: %v", what, err)
}

// output runs systemctl or launchctl, with what goes before the verb, and returns what
// it prints; its error has what it complains about.
func (p patience) output(command []string, args ...string) (out string, err error) {
	wait := orderWait
	if slices.Contains([]string{"show", "is-active", "is-enabled", "print"}, args[0]) {
		wait = lookWait
	}
	said := make(chan string, 1)
	err = p(wait, func(ctx context.Context) error {
		var complaint strings.Builder
		cmd := exec.CommandContext(ctx, command[0], append(command[1:len(command):len(command)], args...)...)
		cmd.Stderr, cmd.WaitDelay = &complaint, time.Second
		b, err := cmd.Output()
		if err != nil && !killed(err) && strings.TrimSpace(complaint.String()) != "" {
			err = errors.New(strings.Join(strings.Fields(complaint.String()), " "))
		}
		said <- string(b)
		return err
	})
	if gaveUp(err) == nil {
		out = <-said
	}
	return out, err
}
