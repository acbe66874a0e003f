package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// A service manager that hangs is waited for once, and for no longer than the command
// goes on that asks it.
func TestPatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		deaf := doesNotAnswer("", "it")
		stuck := make(chan error) // as what kardianos does
		defer close(stuck)
		hang := func(context.Context) error { return <-stuck }
		says := func(err error) func(context.Context) error { return func(context.Context) error { return err } }
		wants := func(what string, p patience, do func(context.Context) error, want error, after time.Duration) {
			t.Helper()
			began := time.Now()
			if err := p(lookWait, do); !errors.Is(err, want) || time.Since(began) != after {
				t.Errorf("%s: %v after %v, want %v after %v", what, err, time.Since(began), want, after)
			}
		}
		p, undo := newPatience(t.Context(), deaf)
		wants("done", p, says(nil), nil, 0)
		wants("refused", p, says(os.ErrInvalid), os.ErrInvalid, 0)
		wants("hangs", p, hang, deaf, lookWait)
		wants("asked again", p, hang, deaf, 0)
		wants("asked to put it back", undo, hang, deaf, 0)

		ctx, interrupt := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, interrupt)
		p, undo = newPatience(ctx, deaf)
		wants("interrupted", p, hang, context.Canceled, time.Second)
		wants("interrupted before", p, hang, context.Canceled, 0)
		wants("put back all the same", undo, says(nil), nil, 0)
	})
}

func TestPatienceOutput(t *testing.T) {
	t.Parallel()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip(err) // Windows
	}
	p, _ := newPatience(t.Context(), errors.New("deaf"))
	if out, err := p.output([]string{sh, "-c", "echo $0"}, "show"); out != "show\n" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
	if out, err := p.output([]string{sh, "-c", "echo a; echo 'b  c' >&2; exit 3"}, "start"); out != "a\n" || err == nil || err.Error() != "b c" {
		t.Errorf("%q, %v", out, err)
	}
	for _, script := range []string{"exec sleep 1000", "kill -TERM $$"} { // the signal is its own, or its whole group's
		ctx, interrupt := context.WithCancel(t.Context())
		p, _ = newPatience(ctx, errors.New("deaf"))
		time.AfterFunc(50*time.Millisecond, interrupt)
		if _, err := p.output([]string{sh, "-c", script}, "start"); gaveUp(err) != context.Canceled {
			t.Errorf("%s: %v", script, err)
		}
	}
}

func TestGaveUp(t *testing.T) {
	t.Parallel()
	deaf := doesNotAnswer("wait", "it")
	for _, tt := range []struct{ err, want error }{
		{nil, nil},
		{deaf, deaf},
		{errors.Join(deaf, os.ErrInvalid), deaf},
		{context.Canceled, context.Canceled},
	} {
		if got := orFail(tt.err, "hint", "service"); got != tt.want {
			t.Errorf("%v: %v", tt.err, got)
		}
	}
	if err := orFail(os.ErrInvalid, "hint", "service: start"); !hasCode(err, ipc.CodeInvalid) || err.Error() != "service: start: invalid argument" {
		t.Error(err)
	}
}
