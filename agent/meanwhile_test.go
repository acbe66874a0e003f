package agent_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// meanwhiles are changes of c0, whose token is s3cr3t-0 and unread, and what it
// has to hold when they and the loader are through, "" if it is gone; and whether
// its first token is kept as what gave way.
var meanwhiles = []struct {
	name string
	do   func(w *world) error
	want string
	kept bool
}{
	{"forget", func(w *world) error { return w.Forget(w.t.Context(), ipc.ForgetRequest{Name: "c0"}) }, "", false},
	{"replace", adding(replacing(request("c0", "s3cr3t-new"))), "s3cr3t-new", true},
	{"replace by the same", adding(replacing(request("c0", "s3cr3t-0"))), "s3cr3t-0", false},
	{"forget and add", func(w *world) error {
		if err := w.Forget(w.t.Context(), ipc.ForgetRequest{Name: "c0"}); err != nil {
			return err
		}
		return adding(request("c0", "s3cr3t-new"))(w)
	}, "s3cr3t-new", false},
	{"bind", func(w *world) error {
		_, err := w.Servers(w.t.Context(), ipc.ServersRequest{Name: "c0", Add: []ipc.Server{{URL: "https://b.example.com"}}})
		return err
	}, "s3cr3t-0", false},
	{"extend", adding(request("c0", "s3cr3t-0")), "s3cr3t-0", false},
}

// settled wants c0 to hold that token, in memory and in the store, which has its
// first one only where that is kept, and nothing of it to be unread.
func (w *world) settled(name, want string, kept bool) {
	w.t.Helper()
	held := slices.DeleteFunc(w.disk.holds(), func(s string) bool { return s == "s3cr3t-1" })
	if want == "" {
		if _, _, stderr := w.fetch("c0", home); !strings.Contains(stderr, "no such credential") || len(held) != 0 {
			w.t.Errorf("%s: %s; the store holds %q", name, stderr, held)
		}
		return
	}
	tokens := []string{want}
	if kept {
		tokens = []string{"s3cr3t-0", want}
	}
	if c := w.status("c0"); c.State != ipc.StateValid || !c.Saved || len(c.Retiring) != len(tokens)-1 || !slices.Equal(held, tokens) {
		w.t.Errorf("%s: %s, %s, %+v; the store holds %q", name, c.State, c.Reason, c.Retiring, held)
	}
	w.serves("c0", want)
	w.serves("c1", "s3cr3t-1")
}

// A change that comes while the loader reads the very token, or while which the
// loader reads it, wins; nothing that was read is lost by it.
func TestMeanwhile(t *testing.T) {
	for _, m := range meanwhiles {
		for _, answer := range []string{"gives", "has lost it"} {
			if answer != "gives" && m.want == "s3cr3t-0" && m.name != "replace by the same" {
				continue // then it is lost
			}
			read := 2 * time.Second // longer than a change waits for it
			if m.name == "extend" {
				read = time.Second
			}
			t.Run("while it is read: "+m.name+", store "+answer, func(t *testing.T) {
				loading(t, 2, func(w *world) {
					w.disk.item = func(_ context.Context, key string) error {
						if !strings.HasPrefix(key, "c0 ") {
							return nil
						}
						time.Sleep(read)
						if answer != "gives" {
							return agent.ErrNotFound
						}
						return nil
					}
					stop := w.run()
					defer stop()
					synctest.Wait()
					w.disk.item = nil // for the reading back of what is written now
					if err := m.do(w); err != nil {
						t.Fatal(err)
					}
					time.Sleep(time.Minute)
					w.settled(m.name, m.want, m.kept)
					w.logged("token is no longer in the store", 0)
				})
			})
		}
		t.Run("while it is changed: "+m.name, func(t *testing.T) {
			loading(t, 2, func(w *world) {
				var run sync.Once
				stop := func() {}
				w.ledger.hook = func() {
					run.Do(func() { stop = w.run() })
					time.Sleep(time.Second)
				}
				if m.name == "extend" { // which waits for the reading first
					stop = w.run()
					run.Do(func() {})
				}
				if err := m.do(w); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				w.settled(m.name, m.want, m.kept)
				stop()
			})
		})
	}
}

// The same without an order, as often as there is time for.
func TestMeanwhileAnyhow(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 300 {
		m := meanwhiles[r.IntN(len(meanwhiles))]
		w := newWorld(t)
		w.add(request("c0", "s3cr3t-0"))
		w.add(request("c1", "s3cr3t-1"))
		w = w.restart()
		var all sync.WaitGroup
		stop := w.run()
		all.Go(func() {
			if err := m.do(w); err != nil {
				t.Errorf("%s: %v", m.name, err)
			}
		})
		for i := range 2 {
			all.Go(func() {
				got, err := fetchToken(w, "c0")
				if err != nil || got != "" && got != m.want && got != "s3cr3t-0" {
					t.Errorf("%s: fetched %q, %v", m.name, got, err)
				}
				_, _ = w.Status(t.Context(), ipc.StatusRequest{})
				_, _ = w.Verify(t.Context(), ipc.VerifyRequest{Name: fmt.Sprintf("c%d", i)})
			})
		}
		all.Wait()
		w.fetch("c0", home) // the loader has seen it when this is answered
		w.settled(m.name, m.want, m.kept)
		stop()
	}
}

// The same token again, while the one in the store is still being read, is the
// same token.
func TestAddWhileUnread(t *testing.T) {
	loading(t, 50, func(w *world) {
		w.disk.item = func(context.Context, string) error { time.Sleep(100 * time.Millisecond); return nil }
		stop := w.run()
		defer stop()
		synctest.Wait()
		for i, dry := range []bool{true, false} {
			name := w.unread()[5]
			r := request(name, "s3cr3t-"+name[1:])
			r.DryRun, r.Servers = dry, []ipc.Server{{URL: "https://b.example.com"}}
			if got := w.add(r); got.Outcome != ipc.OutcomeExtended || len(got.Credential.Servers) != 2 {
				w.t.Errorf("%d: %+v", i, got)
			}
			other := request(w.unread()[5], "s3cr3t-other")
			other.DryRun = dry
			_, err := w.Add(w.t.Context(), other)
			refused(w.t, err, ipc.CodeExists)
		}
	})
}
