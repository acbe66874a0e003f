package agent_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

func (w *world) holdsOnly(tokens ...string) {
	w.t.Helper()
	if got := w.disk.holds(); !slices.Equal(got, tokens) {
		w.t.Errorf("the store holds %q, want %q", got, tokens)
	}
}

func ephemeral(r ipc.AddRequest) ipc.AddRequest {
	r.Ephemeral = true
	return r
}

func waiting(r ipc.AddRequest) ipc.AddRequest {
	r.Standby = true
	return r
}

// again restarts the agent and lets it read what is there.
func again(t *testing.T, w *world) *world {
	t.Helper()
	w = w.restart()
	stop := w.run()
	synctest.Wait()
	stop()
	return w
}

// A saved token that one in memory has taken over from is not served, and is
// what there is after a restart, until a saved one takes over.
func TestEphemeralReplacement(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.oracle.says(alive(me))
		w.add(request("prod", "s3cr3t-1"))
		if c := w.add(ephemeral(replacing(request("prod", "s3cr3t-2")))).Credential; c.Saved {
			t.Errorf("%+v", c)
		}
		w.serves("prod", "s3cr3t-2")
		w.holdsOnly("s3cr3t-1")

		for range 2 {
			w = again(t, w)
			w.serves("prod", "s3cr3t-1")
			c := w.status("prod")
			if !c.Saved || c.State != ipc.StateValid || !strings.Contains(c.Reason, "in memory only") || c.Identity != me {
				t.Errorf("%+v", c)
			}
			w.logged("a token in memory only is gone: back to the one before", 1)
		}
		w.oracle.says(alive(me))
		c := w.add(replacing(request("prod", "s3cr3t-3"))).Credential
		if !c.Saved || c.Reason != "" {
			t.Errorf("%+v", c)
		}
		w.holdsOnly("s3cr3t-1", "s3cr3t-3")
		again(t, w).serves("prod", "s3cr3t-3")
	})
}

// The same without a restart in between, and with a good end by being saved.
func TestEphemeralReplacementSaved(t *testing.T) {
	t.Parallel()
	for _, last := range []ipc.AddRequest{replacing(request("prod", "s3cr3t-3")), request("prod", "s3cr3t-2")} {
		w := newWorld(t)
		w.add(request("prod", "s3cr3t-1"))
		w.add(ephemeral(replacing(request("prod", "s3cr3t-2"))))
		if c := w.add(last).Credential; !c.Saved {
			t.Errorf("%+v", c)
		}
		w.serves("prod", last.Secret.Reveal())
		w.holdsOnly("s3cr3t-1", last.Secret.Reveal())
	}
}

// A token that nobody was asked about does not make the good one disappear, and
// gives way to it when it is refused; no verdict takes either away, but a person
// does.
func TestUnverifiedReplacement(t *testing.T) {
	t.Parallel()
	for name, then := range map[string]struct {
		do    func(*world)
		holds []string
	}{
		"verify":  {func(w *world) { w.verify("prod") }, []string{"s3cr3t-1", "s3cr3t-2"}},
		"replace": {func(w *world) { w.add(replacing(request("prod", "s3cr3t-3"))) }, []string{"s3cr3t-1", "s3cr3t-2", "s3cr3t-3"}},
		"forget":  {func(w *world) { _ = w.Forget(w.t.Context(), ipc.ForgetRequest{Name: "prod"}) }, nil},
		"done":    {func(w *world) { w.done(w.gave("prod").Label) }, []string{"s3cr3t-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.oracle.says(alive(me))
				w.add(request("prod", "s3cr3t-1"))
				r := replacing(request("prod", "s3cr3t-2"))
				r.NoVerify = true
				w.add(r)
				w = again(t, w)
				w.serves("prod", "s3cr3t-2")
				w.holdsOnly("s3cr3t-1", "s3cr3t-2")
				w.oracle.says(alive(other)) // that nobody knows the garbage's owner opens nothing
				_, err := w.Add(t.Context(), replacing(request("prod", "s3cr3t-3")))
				refused(t, err, ipc.CodeIdentity)

				w.oracle.says(alive(me))
				w.oracle.knows("s3cr3t-2", agent.Verdict{Life: agent.Rejected, Why: "401"})
				if r := w.verify("prod"); r.Life != "rejected" || r.Credential.State != ipc.StateValid || r.Credential.Identity != me {
					t.Errorf("%+v", r)
				}
				w.serves("prod", "s3cr3t-1")
				w.holdsOnly("s3cr3t-1", "s3cr3t-2")
				then.do(w)
				w.holdsOnly(then.holds...)
			})
		})
	}
}

// What is fallen back to is rather a token that was found alive once.
func TestFallBackToGood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.add(request("prod", "s3cr3t-1"))
		r := replacing(request("prod", "s3cr3t-2"))
		r.NoVerify = true
		w.add(r)
		w.add(ephemeral(replacing(request("prod", "s3cr3t-3"))))
		again(t, w).serves("prod", "s3cr3t-1")
	})
}

// A previous token is kept until its own expiry, and never served past it.
func TestPreviousExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		r := request("prod", "s3cr3t-1")
		end := noon.Add(time.Hour)
		r.Expiry, r.Expires = ipc.ExpiryKnown, &end
		w.add(r)
		before := w.add(ephemeral(replacing(request("prod", "s3cr3t-2")))).Credential
		w.set(end)
		late := w.restart() // before anybody swept
		if c := late.status("prod"); c.State != ipc.StateEmpty || c.Saved {
			t.Errorf("%+v", c)
		}
		w.add(ephemeral(request("test", "s3cr3t-3"))) // any change
		w.holdsOnly()
		if c := w.status("prod"); c.Revision != before.Revision {
			t.Error("requests get what they got, and the revision is another")
		}
		w.serves("prod", "s3cr3t-2")
	})
}

// An agent that leaves writes down again what somebody has deleted.
func TestLedgerDeleted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.add(request("prod", "s3cr3t-1"))
		stop := w.run()
		synctest.Wait()
		w.ledger.mu.Lock()
		w.ledger.text = nil
		w.ledger.mu.Unlock()
		stop()
		w.logged("state was gone: written again", 1)
		again(t, w).serves("prod", "s3cr3t-1")

		w = newWorld(t)
		w.run()()
		if w.ledger.text != nil {
			t.Errorf("there was nothing to write: %s", w.ledger.text)
		}
	})
}

// A token that is still the same is shown as another owner's, and not taken for
// it; an answer that knows less makes nothing forgotten.
func TestVerifyOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.oracle.says(alive(me))
	w.add(request("prod", "s3cr3t-1"))
	for _, v := range []agent.Verdict{alive(other), alive(nobody), alive(ipc.Identity{User: "ada"})} {
		w.oracle.says(v)
		r := w.verify("prod")
		if got := r.Credential.Identity; r.Life != "alive" || got.UID != me.UID || got.OrgUID != me.OrgUID {
			t.Errorf("%+v", r)
		}
		if (v.Identity == other) != strings.Contains(r.Why, `uid "user-2"`) {
			t.Errorf("why: %q", r.Why)
		}
		if v.Identity != other { // the same token is the same owner's
			w.add(request("prod", "s3cr3t-1"))
		}
	}
}

// gave is what gave way last in a credential.
func (w *world) gave(name string) ipc.Retiring {
	w.t.Helper()
	c := w.status(name)
	if len(c.Retiring) == 0 {
		w.t.Fatalf("nothing gave way: %+v", c)
	}
	return c.Retiring[0]
}

// done takes a token from the list of those that gave way.
func (w *world) done(which string) {
	w.t.Helper()
	if _, err := w.Retired(w.t.Context(), ipc.RetiredRequest{Done: which}); err != nil {
		w.t.Fatal(err)
	}
}
