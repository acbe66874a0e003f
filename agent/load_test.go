package agent_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// loading runs f under synctest with a new agent that knows credentials c0, c1
// ... with a token each, all of them still in the store, and is not running yet.
func loading(t *testing.T, credentials int, f func(w *world)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		b := agent.Book{Store: "disk"}
		for i := range credentials {
			name := fmt.Sprintf("c%d", i)
			token := agent.Token{Key: name + " #1", Added: time.Now(), Expiry: ipc.ExpiryNever}
			b.Credentials = append(b.Credentials, agent.Record{Name: name, Servers: []ipc.Server{{URL: home}}, Token: token})
			w.disk.secrets[token.Key] = ipc.NewSecret(fmt.Sprintf("s3cr3t-%d", i))
		}
		if err := w.ledger.Save(b); err != nil {
			t.Fatal(err)
		}
		w = w.restart()
		w.clock = time.Now
		f(w)
	})
}

// unread returns the names of those whose token has not been read.
func (w *world) unread() (names []string) {
	w.t.Helper()
	s, err := w.Status(w.t.Context(), ipc.StatusRequest{})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range s.Credentials {
		if c.State == ipc.StateLocked {
			names = append(names, c.Name)
		}
	}
	return names
}

// takes wants f to last as long as that.
func takes(t *testing.T, what string, least, most time.Duration, f func()) {
	t.Helper()
	began := time.Now()
	f()
	if d := time.Since(began); d < least || d > most {
		t.Errorf("%s took %v, want %v to %v", what, d, least, most)
	}
}

// logged wants a line of the log to be there so often.
func (w *world) logged(line string, want int) {
	w.t.Helper()
	if got := strings.Count(w.log.String(), `msg="`+line+`"`); got != want {
		w.t.Errorf("%q is logged %d times, want %d:\n%s", line, got, want, w.log)
	}
}

const (
	outage = "the store gives nothing"
	healed = "the store answers again"
)

// What is asked for is read first; what is read is served while the rest is
// being read; each is read once; and then nothing of the agent moves.
func TestLoad(t *testing.T) {
	const read = 100 * time.Millisecond
	loading(t, 200, func(w *world) {
		w.disk.item = func(context.Context, string) error { time.Sleep(read); return nil }
		stop := w.run()
		defer stop()
		for range 20 {
			time.Sleep(read / 2)
			w.disk.took()
			name := w.unread()[3]
			want := "s3cr3t-" + name[1:]
			takes(w.t, "a token that is asked for", read/2, 2*read, func() { w.serves(name, want) })
			if got := w.disk.took(); len(got) > 2 {
				w.t.Errorf("%d reads until it was answered", len(got))
			}
			takes(w.t, "a token that has been read", 0, 0, func() { w.serves(name, want) })
		}
		time.Sleep(200 * read)
		if left := w.unread(); len(left) != 0 {
			w.t.Errorf("not read: %v", left)
		}
		time.Sleep(20 * time.Minute) // those that were used are asked about once more
		w.disk.took()
		looks, wakes := w.looks.Load(), w.wakes.Load()
		time.Sleep(24 * time.Hour)
		if calls := w.disk.took(); len(calls) != 0 || w.looks.Load() != looks || w.wakes.Load() != wakes || wakes == 0 {
			w.t.Errorf("in an idle day: store calls %v, %d looks at the clock, %d wake-ups", calls, w.looks.Load()-looks, w.wakes.Load()-wakes)
		}
		w.serves("c7", "s3cr3t-7")
		if calls := w.disk.took(); len(calls) != 0 {
			w.t.Errorf("store calls %v for a fetch", calls)
		}
	})
}

func TestLoadReadsOnce(t *testing.T) {
	loading(t, 50, func(w *world) {
		stop := w.run()
		defer stop()
		synctest.Wait()
		if calls := w.disk.took(); len(calls) != 50 || len(w.unread()) != 0 {
			w.t.Errorf("%d store calls, not read: %v", len(calls), w.unread())
		}
	})
}

// Many who ask for the same are served by one read.
func TestLoadSingleFlight(t *testing.T) {
	loading(t, 1, func(w *world) {
		w.disk.item = func(context.Context, string) error { time.Sleep(time.Second); return nil }
		stop := w.run()
		defer stop()
		for range 50 {
			go func() {
				if got, err := fetchToken(w, "c0"); got != "s3cr3t-0" {
					w.t.Errorf("%q, %v", got, err)
				}
			}()
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if calls := w.disk.took(); len(calls) != 1 {
			w.t.Errorf("store calls %v", calls)
		}
	})
}

// Run ends with its ctx, in the middle of a read too, and blames nobody.
func TestLoadEnds(t *testing.T) {
	for _, after := range []time.Duration{0, time.Second, 3500 * time.Millisecond, time.Hour} {
		t.Run(after.String(), func(t *testing.T) {
			loading(t, 3, func(w *world) {
				w.disk.item = func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }
				stop := w.run()
				time.Sleep(after)
				synctest.Wait()
				takes(w.t, "the end", 0, 0, stop)
				w.logged(outage, min(1, int(after/(3*time.Second))))
				w.logged("the store does not give a token", 0)
				takes(w.t, "a fetch without a loader", 1500*time.Millisecond, 1500*time.Millisecond, func() { w.fetch("c0", home) })
			})
		})
	}
}

// A token that the store has lost is empty, and says so; the others go on.
func TestLoadMissing(t *testing.T) {
	loading(t, 3, func(w *world) {
		for key, s := range w.disk.secrets {
			if s.Reveal() == "s3cr3t-1" {
				delete(w.disk.secrets, key)
			}
		}
		stop := w.run()
		defer stop()
		synctest.Wait()
		w.serves("c0", "s3cr3t-0")
		w.serves("c2", "s3cr3t-2")
		_, _, stderr := w.fetch("c1", home)
		if !strings.Contains(stderr, "its token is no longer in the disk\n") || !strings.Contains(stderr, "cwagent rotate c1") {
			w.t.Error(stderr)
		}
		if c := w.status("c1"); c.State != ipc.StateEmpty || c.Saved {
			w.t.Errorf("%+v", c)
		}
		w.logged("token is no longer in the store", 1)
		w.logged(outage, 0)
		_, err := w.Add(w.t.Context(), request("c1", "s3cr3t-1"))
		if e := refused(w.t, err, ipc.CodeExists); !strings.Contains(e.What, "has no token") {
			w.t.Error(e.What)
		}
		w.disk.took()
		time.Sleep(time.Hour)
		if calls := w.disk.took(); len(calls) != 0 {
			w.t.Errorf("store calls %v for what is not there", calls)
		}
		w.add(replacing(request("c1", "s3cr3t-1b")))
		w.serves("c1", "s3cr3t-1b")
		if c := w.status("c1"); !c.Saved || c.State != ipc.StateValid {
			w.t.Errorf("%+v", c)
		}
	})
}

// One token that cannot be read is not the end of the others: they are read, it
// says what is wrong, and is there when that passes.
func TestLoadFault(t *testing.T) {
	loading(t, 20, func(w *world) {
		var broken atomic.Bool
		broken.Store(true)
		w.disk.item = func(_ context.Context, key string) error {
			if broken.Load() && strings.HasPrefix(key, "c7 ") {
				return errStore
			}
			return nil
		}
		w.disk.secrets["c8 #1"] = ipc.Secret{}
		stop := w.run()
		defer stop()
		synctest.Wait()
		if left := w.unread(); !slices.Equal(left, []string{"c7", "c8"}) {
			w.t.Fatalf("not read: %v", left)
		}
		if c := w.status("c8"); !strings.HasSuffix(c.Reason, "it gave an empty token") {
			w.t.Error(c.Reason)
		}
		w.add(replacing(request("c8", "s3cr3t-8")))
		w.serves("c8", "s3cr3t-8")
		if c := w.status("c7"); !strings.Contains(c.Reason, "the disk does not give its token since ") || !strings.Contains(c.Reason, errStore.Error()) {
			w.t.Error(c.Reason)
		}
		s, _ := w.Status(w.t.Context(), ipc.StatusRequest{})
		if s.Store.Trouble != "" {
			w.t.Errorf("trouble with the store: %s", s.Store.Trouble)
		}
		_, err := w.Token(w.t.Context(), ipc.TokenRequest{Name: "c7"})
		if e := refused(w.t, err, ipc.CodeLocked); !strings.Contains(e.Hint, "cwagent rotate c7") {
			w.t.Error(e.Hint)
		}
		w.add(request("new", "s3cr3t-new")) // others are not hindered
		time.Sleep(time.Hour)
		w.logged("the store does not give a token", 2)
		w.logged(outage, 0)
		broken.Store(false)
		time.Sleep(time.Minute)
		w.serves("c7", "s3cr3t-7")
		w.logged("the store gives the token again", 1)
		w.disk.took()
		time.Sleep(time.Hour)
		if calls := w.disk.took(); len(calls) != 0 {
			w.t.Errorf("store calls %v", calls)
		}
	})
}

// What was in memory only says so after a restart, and can be revived.
func TestLoadEphemeral(t *testing.T) {
	loading(t, 1, func(w *world) {
		r := request("brief", "s3cr3t-b")
		r.Ephemeral = true
		r.Servers = append(r.Servers, ipc.Server{URL: "https://b.example.com:443"})
		w.add(r)
		w = w.restart()
		stop := w.run()
		defer stop()
		synctest.Wait()
		takes(w.t, "a fetch", 0, 0, func() {
			if _, _, stderr := w.fetch("brief", home); !strings.Contains(stderr, "its token was in memory only, and the agent has been restarted since") {
				w.t.Error(stderr)
			}
		})
		if c := w.status("brief"); c.State != ipc.StateEmpty || c.Saved || len(c.Servers) != 2 {
			w.t.Errorf("%+v", c)
		}
		c := w.add(replacing(ipc.AddRequest{Name: "brief", Secret: ipc.NewSecret("s3cr3t-c"), Expiry: ipc.ExpiryNever})).Credential
		if len(c.Servers) != 2 || c.Saved {
			w.t.Errorf("%+v", c)
		}
		w.serves("brief", "s3cr3t-c")
		w.serves("c0", "s3cr3t-0")
	})
}
