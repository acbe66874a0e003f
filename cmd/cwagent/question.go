package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/config"
	"github.com/cwagent/cwagent/ipc"
)

// lifetimes are the six that the Console offers, as --expires spells them. "One
// month" is not defined anywhere in days: 30 is the safe side.
var lifetimes = []struct{ words, expires string }{
	{"1 hour", "1h"},
	{"8 hours", "8h"},
	{"One month", "30d"},
	{"90 days", "90d"},
	{"One year", "365d"},
	{"Never", "never"},
}

// askExpiry asks which of the Console's lifetimes a token has; the token itself
// does not tell. counted says that it counts from since (%s). The answer is as for
// --expires.
func (c *cli) askExpiry(ctx context.Context, which, counted string, since time.Time) (string, error) {
	from := fmt.Sprintf(counted, since.Local().Format("2006-01-02 15:04"))
	fmt.Fprintf(c.err, "%s: how long does it live? %s, it would end:\n", which, from)
	for i, l := range lifetimes {
		when := "never"
		if d, ok := config.ParseDuration(l.expires); ok {
			when = since.Add(d).Local().Format("2006-01-02 15:04 MST")
		}
		fmt.Fprintf(c.err, "  %d  %-10s %s\n", i+1, l.words, when)
	}
	for {
		fmt.Fprint(c.err, "  or a date, or a duration; Enter if you do not know: ")
		answer, err := c.readLine(ctx)
		if err != nil {
			return "", err
		}
		for i, l := range lifetimes {
			if answer == fmt.Sprint(i+1) || strings.EqualFold(answer, l.words) {
				return l.expires, nil
			}
		}
		if agent.IsAPIToken(ipc.NewSecret(answer)) {
			fmt.Fprintln(c.err, "  that is a token, and it stands on your screen now: it is asked for next, without echo")
			continue
		}
		answer = strings.ToLower(cmp.Or(answer, "unknown"))
		// What cannot be understood, or has passed, is asked again.
		again := (&lifeFlags{expires: answer}).apply(&ipc.AddRequest{}, since, c.now())
		if again == nil {
			return answer, nil
		}
		fmt.Fprintf(c.err, "  %s is not one of these (8h, 30d, 2026-12-31, 2026-12-31T18:00:00Z, never), or has passed\n", printable(answer))
	}
}

// ask puts a question to the person and reports whether the answer is yes.
// Without a terminal there is nobody to ask.
func (c *cli) ask(ctx context.Context, question string) (bool, error) {
	if !terminal(c.in) {
		return false, fail("--yes answers the question", "%s there is no terminal to answer at", question)
	}
	fmt.Fprint(c.err, question+" [y/N] ")
	answer, err := c.readLine(ctx)
	switch strings.ToLower(answer) {
	case "y", "yes":
		return true, err
	}
	return false, err
}

// readSecret reads one line that is named by what, without echo where a person types
// it.
func (c *cli) readSecret(ctx context.Context, what string) (ipc.Secret, error) {
	f, ok := c.in.(*os.File)
	if !ok || !terminal(f) {
		b, err := interruptible(ctx, func() ([]byte, error) { return io.ReadAll(io.LimitReader(c.in, ipc.MaxPart+2)) })
		if err != nil {
			return ipc.Secret{}, fmt.Errorf("read %s from stdin: %w", what, err)
		}
		return ipc.NewSecret(strings.TrimRight(string(b), "\r\n")), nil
	}
	defer discardInput(f) // what was pasted behind the first line must not reach the shell
	return c.typeSecret(ctx, f, what)
}

// typeSecret reads the next line that a person types at f, without echo.
func (c *cli) typeSecret(ctx context.Context, f *os.File, what string) (ipc.Secret, error) {
	before, err := term.GetState(int(f.Fd()))
	if err != nil {
		return ipc.Secret{}, fmt.Errorf("read %s: %w", what, err)
	}
	fmt.Fprint(c.err, what+": ")
	b, err := interruptible(ctx, func() ([]byte, error) { return term.ReadPassword(int(f.Fd())) })
	fmt.Fprintln(c.err)
	if err != nil {
		_ = term.Restore(int(f.Fd()), before) // an interrupted one leaves the echo off
		return ipc.Secret{}, fmt.Errorf("read %s: %w", what, err)
	}
	return ipc.NewSecret(string(b)), nil
}

// readLine reads what a person types. The reader is kept: it may have read
// ahead.
func (c *cli) readLine(ctx context.Context) (string, error) {
	if c.lines == nil {
		c.lines = bufio.NewReader(c.in)
	}
	line, err := interruptible(ctx, func() (string, error) {
		line, err := c.lines.ReadString('\n')
		if errors.Is(err, io.EOF) && line == "" {
			err = context.Canceled // Ctrl-D is no answer
		}
		return strings.TrimSpace(line), err
	})
	if err != nil {
		fmt.Fprintln(c.err) // the question is still on the line
	}
	return line, err
}

// interruptible waits for read, or for Ctrl-C. The read itself cannot be
// stopped: it ends with the program.
func interruptible[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		v, err := read()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}
