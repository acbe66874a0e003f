package agent_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// wants is a request of a program that needs a token for so long.
func wants(left time.Duration) ipc.TokenRequest {
	return ipc.TokenRequest{Name: "prod", For: "terraform", MinLeft: left}
}

// A token that ends too soon is replaced first, and a hundred programs at once have
// the source asked once.
func TestTokenLasts(t *testing.T) {
	running(t, func(w *world) {
		s := slow(time.Second)
		w.feed(s)
		time.Sleep(30 * time.Minute)
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				takes(w.t, "a token", time.Second, time.Second, func() {
					token, err := w.Token(w.t.Context(), wants(45*time.Minute))
					if err != nil || token.Reveal() != "s3cr3t-prod-2" {
						w.t.Errorf("%v", err)
					}
				})
			})
		}
		all.Wait()
		if n := len(s.times()); n != 2 {
			w.t.Errorf("asked %d times", n)
		}
	})
}

// What cannot be had is refused with the reason; a source that says no is not asked
// once for each of a hundred programs, and one whose tokens are short mints no
// hundred of them.
func TestTokenTooShort(t *testing.T) {
	for _, tt := range []struct {
		name       string
		source     *tap
		asked      int
		what, hint string
	}{
		{"a source that says no", &tap{next: func(_ context.Context, n int, usual agent.Minted) (agent.Minted, error) {
			if n == 1 {
				return usual, nil
			}
			return usual, &agent.SourceError{Class: agent.Denied, Why: "not signed in", Hint: "op signin"}
		}}, 2, "; tap: not signed in", "op signin; or have less do, with --min-left"},
		{"short tokens", &tap{}, 2, "and it is to live for 2h", "its source (tap) gives none that lives for longer; or have less do, with --min-left"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			running(t, func(w *world) {
				w.feed(tt.source)
				time.Sleep(time.Minute)
				for range 100 {
					_, err := w.Token(w.t.Context(), wants(2*time.Hour))
					if e := refused(w.t, err, ipc.CodeExpired); !strings.Contains(e.What, tt.what) || e.Hint != tt.hint {
						w.t.Fatalf("%s\n%s", e.What, e.Hint)
					}
				}
				if n := len(tt.source.times()); n != tt.asked {
					w.t.Errorf("asked %d times", n)
				}
				if _, err := w.Token(w.t.Context(), wants(50*time.Minute)); err != nil {
					w.t.Error(err)
				}
			})
		})
	}
}

// A person makes the next one: that is what the hint says. A standby token that
// lives long enough takes over; one that does not stays where it is.
func TestTokenLastsByStandby(t *testing.T) {
	running(t, func(w *world) {
		w.add(holding("s3cr3t-1", 10*time.Minute))
		_, err := w.Token(w.t.Context(), wants(15*time.Minute))
		e := refused(w.t, err, ipc.CodeExpired)
		if !strings.Contains(e.What, "the token expires at ") || !strings.HasSuffix(e.What, "and it is to live for 15m") ||
			!strings.HasSuffix(e.Hint, "then: cwagent rotate prod; or have less do, with --min-left") {
			w.t.Errorf("%s\n%s", e.What, e.Hint)
		}
		next := holding("s3cr3t-2", 20*time.Minute)
		next.Standby = true
		w.add(next)
		_, err = w.Token(w.t.Context(), wants(30*time.Minute))
		refused(w.t, err, ipc.CodeExpired)
		if token, err := w.Token(w.t.Context(), wants(5*time.Minute)); err != nil || token.Reveal() != "s3cr3t-1" {
			w.t.Error("the standby token took over without need", err)
		}
		if token, err := w.Token(w.t.Context(), wants(15*time.Minute)); err != nil || token.Reveal() != "s3cr3t-2" {
			w.t.Error("the standby token did not take over", err)
		}
	})
}

// An end that nobody knows is no reason to refuse.
func TestTokenOfUnknownEnd(t *testing.T) {
	w := newWorld(t)
	w.add(request("prod", "s3cr3t-1"))
	if _, err := w.Token(t.Context(), wants(24*time.Hour)); err != nil {
		t.Error(err)
	}
}

// Who waits for a source that takes longer hears that it is on its way.
func TestTokenOnItsWay(t *testing.T) {
	running(t, func(w *world) {
		var stuck atomic.Bool
		w.feed(&tap{next: func(ctx context.Context, _ int, usual agent.Minted) (agent.Minted, error) {
			if stuck.Load() {
				<-ctx.Done()
				return usual, ctx.Err()
			}
			return usual, nil
		}})
		time.Sleep(time.Minute)
		stuck.Store(true)
		ctx, cancel := context.WithTimeout(w.t.Context(), time.Second)
		defer cancel()
		_, err := w.Token(ctx, wants(2*time.Hour))
		if e := refused(w.t, err, ipc.CodeRenewing); e.Hint != "the next one is on its way: try again in a moment" {
			w.t.Error(e.Hint)
		}
	})
}

// The log has one line for each program, with its name (who ran it is the audit log's
// to tell), and what is only noted is not handed over.
func TestTokenIsNoted(t *testing.T) {
	w := newWorld(t)
	w.add(request("prod", "s3cr3t-1"))
	ctx := t.Context()
	if token, err := w.Token(ctx, wants(0)); err != nil || token.Empty() {
		t.Error(err)
	}
	r := wants(0)
	r.Keep = true
	if token, err := w.Token(ctx, r); err != nil || !token.Empty() {
		t.Error("it was handed over", err)
	}
	r.For = "CW-SECRET-of-who-pasted-it"
	if _, err := w.Token(ctx, r); err != nil {
		t.Error(err)
	}
	for _, line := range []string{
		`msg="token given to a program" credential=prod command=terraform`,
		`msg="kubeconfig given to a program" credential=prod command=terraform`,
		`command=CW-SECRET-...`,
	} {
		if strings.Count(w.log.String(), line) != 1 {
			t.Errorf("not once: %s\n%s", line, w.log)
		}
	}
}
