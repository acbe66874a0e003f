package agent_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// numbered is a request for an API Access Token of prod with a public id.
func numbered(i int) ipc.AddRequest {
	r := request("prod", fmt.Sprintf("CW-SECRET-s3cr3t-%d", i))
	r.ID, r.Replace = fmt.Sprintf("cwtoken-%d", i), i > 0
	return r
}

// retired returns the ids of those that gave way, and how many are still kept.
func (w *world) retired() (ids string, kept int) {
	w.t.Helper()
	all, err := w.Retired(w.t.Context(), ipc.RetiredRequest{})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, t := range all.Tokens {
		ids += strings.TrimPrefix(t.ID, "cwtoken-")
		if !t.Delete {
			w.t.Errorf("not to be deleted: %+v", t)
		}
		if t.Kept {
			kept++
		}
	}
	return ids, kept
}

// Four of those that gave way are kept; what a person has to delete is on the list
// until they say that they have, and nothing of that is lost by a restart.
func TestMostKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for i := range 8 {
			w.add(numbered(i))
		}
		for range 2 {
			if ids, kept := w.retired(); ids != "6543210" || kept != 4 || len(w.disk.holds()) != 5 {
				t.Errorf("retired %s, of which %d are kept; the store holds %q", ids, kept, w.disk.holds())
			}
			w = again(t, w)
			w.serves("prod", "CW-SECRET-s3cr3t-7")
		}
		w.done("cwtoken-1")
		w.done("cwtoken-6")
		if ids, kept := w.retired(); ids != "54320" || kept != 3 || len(w.disk.holds()) != 4 {
			t.Errorf("retired %s, of which %d are kept; the store holds %q", ids, kept, w.disk.holds())
		}
		_, err := w.Retired(t.Context(), ipc.RetiredRequest{Done: "cwtoken-6"})
		refused(t, err, ipc.CodeNotFound)
		_, err = w.Retired(t.Context(), ipc.RetiredRequest{Done: "cwtoken-7"}) // the current one
		refused(t, err, ipc.CodeNotFound)

		// What nobody has to delete is not on the list once it is not kept.
		for i := range 8 {
			w.add(replacing(request("prod", fmt.Sprintf("s3cr3t-other-%d", i))))
		}
		w = again(t, w)
		if n := len(w.status("prod").Retiring); n != 4+6 || len(w.disk.holds()) != 5 {
			t.Errorf("%d on the list; the store holds %q", n, w.disk.holds())
		}
	})
}

// To go back by hand to a token that gave way, or to take one out of standby, does
// not take it out of the store before it is there again: it stays.
func TestReplaceByKnown(t *testing.T) {
	t.Parallel()
	for _, known := range []string{"s3cr3t-1", "s3cr3t-3"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.add(request("prod", "s3cr3t-1"))
			w.add(replacing(request("prod", "s3cr3t-2")))
			w.add(waiting(request("prod", "s3cr3t-3")))
			w.SetStore(failing("put")(w.disk))
			if c := w.add(replacing(request("prod", known))).Credential; !c.Saved || c.Unsaved != "" || len(c.Retiring)+len(c.Standby) != 2 {
				t.Errorf("%+v", c)
			}
			w = again(t, w)
			w.serves("prod", known)
			w.holdsOnly("s3cr3t-1", "s3cr3t-2", "s3cr3t-3")
		})
	}
}

// A token that could not be read yet is not dropped for one that may be the same:
// not before that one is saved, and not for another. It is not to be deleted
// either.
func TestReplaceUnreadByItself(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", "cwtoken-1"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			r := request("prod", "CW-SECRET-s3cr3t-1")
			r.ID = id
			w.add(r)
			w = w.restart()
			w.SetStore(failing("put")(w.disk))
			if c := w.add(replacing(r)).Credential; c.Saved || c.Unsaved == "" || id != "" && len(c.Retiring) != 0 {
				t.Errorf("%+v", c)
			}
			w.holdsOnly("CW-SECRET-s3cr3t-1")
			w.set(noon.Add(time.Minute))
			stop := w.run() // saves nothing, and sweeps
			synctest.Wait()
			stop()
			text := w.ledger.text
			next := again(t, w)
			next.serves("prod", "CW-SECRET-s3cr3t-1")

			w.ledger.text = text
			w.SetStore(w.disk)
			w.set(noon.Add(time.Hour))
			stop = w.run()
			synctest.Wait()
			stop()
			if c := w.status("prod"); !c.Saved || c.Unsaved != "" || len(c.Retiring) != 0 {
				t.Errorf("%+v", c)
			}
			w.holdsOnly("CW-SECRET-s3cr3t-1")
		})
	}
}

// A token that took over, could not be saved and is gone with the agent lives on
// at CoreWeave: it is to be deleted.
func TestLostToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.add(numbered(0))
		w.SetStore(failing("put")(w.disk))
		w.add(numbered(1))
		w = again(t, w)
		w.serves("prod", "CW-SECRET-s3cr3t-0")
		w.add(request("dev", "s3cr3t-2")) // writes it down
		for range 2 {
			if ids, kept := w.retired(); ids != "1" || kept != 0 {
				t.Errorf("retired %q, of which %d are kept", ids, kept)
			}
			w = again(t, w)
		}
	})
}

// Of a token in memory only, on purpose, nothing is written because of another
// one: neither of the current one nor of one in standby.
func TestBriefBesideOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.add(request("prod", "s3cr3t-1"))
		w.add(ephemeral(replacing(request("prod", "s3cr3t-2"))))
		w.add(waiting(request("prod", "s3cr3t-3")))
		c := w.add(ephemeral(waiting(request("prod", "s3cr3t-4")))).Credential
		if c.Saved || c.Unsaved != "" || len(c.Standby) != 2 || !c.Standby[0].Saved || c.Standby[1].Saved {
			t.Errorf("%+v", c)
		}
		w.serves("prod", "s3cr3t-2")
		w.holdsOnly("s3cr3t-1", "s3cr3t-3")
		for _, want := range []string{"s3cr3t-3", "s3cr3t-4"} {
			if _, err := w.Rotate(t.Context(), ipc.RotateRequest{Name: "prod"}); err != nil {
				t.Fatal(err)
			}
			w.serves("prod", want)
			w.holdsOnly("s3cr3t-1", "s3cr3t-3")
		}
		w = again(t, w)
		w.serves("prod", "s3cr3t-3")
		if c := w.status("prod"); len(c.Retiring) != 1 || len(c.Standby) != 0 {
			t.Errorf("%+v", c)
		}
	})
}

// A rollback after a restart has to read the token: where the store does not give
// it, or the server does not take it, nothing is changed.
func TestRollbackUnread(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.add(request("prod", "s3cr3t-1"))
		w.add(replacing(request("prod", "s3cr3t-2")))
		w = again(t, w)
		back := func() error {
			_, err := w.Rotate(t.Context(), ipc.RotateRequest{Name: "prod", Rollback: true})
			return err
		}
		before := w.status("prod").Revision
		w.disk.item = func(context.Context, string) error { return fmt.Errorf("%w: collection %q", agent.ErrLocked, "login") }
		if e := refused(t, back(), ipc.CodeStore); !strings.Contains(e.Text(), "locked") {
			t.Error(e.Text())
		}
		w.disk.item = nil
		w.oracle.knows("s3cr3t-1", agent.Verdict{Life: agent.Rejected, Why: "401"})
		if e := refused(t, back(), ipc.CodeSource); !strings.Contains(e.Text(), "the token before is refused: 401") {
			t.Error(e.Text())
		}
		w.serves("prod", "s3cr3t-2")
		if c := w.status("prod"); c.Revision != before || len(c.Retiring) != 1 || !c.Retiring[0].Kept {
			t.Errorf("%+v", c)
		}
		w.oracle.knows("s3cr3t-1", alive(me))
		if err := back(); err != nil {
			t.Error(err)
		}
		w.serves("prod", "s3cr3t-1")
		w.holdsOnly("s3cr3t-1", "s3cr3t-2")
	})
}

// Where the token that would take over cannot be had from the store, the source
// is asked; without one the store is asked again.
func TestFallBackLost(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err    error
		source bool
		want   string
	}{
		"missing, with a source":      {agent.ErrNotFound, true, "s3cr3t-minted-1"},
		"not given, with a source":    {agent.ErrRefused, true, "s3cr3t-minted-1"},
		"not given, without a source": {agent.ErrRefused, false, "s3cr3t-1"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.add(request("prod", "s3cr3t-1"))
			w.add(replacing(request("prod", "s3cr3t-2")))
			w = w.restart()
			w.clock = time.Now
			if tt.source {
				w.sourced()
			}
			stop := w.run()
			defer stop()
			synctest.Wait() // the current one has been read
			failing := true
			w.disk.item = func(context.Context, string) error {
				if failing {
					failing = false
					return tt.err
				}
				return nil
			}
			w.oracle.knows("s3cr3t-2", agent.Verdict{Life: agent.Rejected, Why: "401"})
			w.verify("prod")
			time.Sleep(time.Minute)
			if got, _, stderr := w.fetch("prod", home); got != tt.want {
				t.Errorf("%s: %q, %s", name, got, stderr)
			}
		})
	}
}
