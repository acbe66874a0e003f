package agent_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/store"
	"github.com/cwagent/cwagent/ipc"
)

// A removal is a world with two durable stores, whose power may go.
type removal struct {
	ring, vault *disk // from, to
	ledger      *notebook
	power       *power // nil: it stays
}

func newRemoval() *removal {
	return &removal{ring: newDisk(), vault: &disk{kind: "vault", secrets: map[string]ipc.Secret{}}, ledger: &notebook{}}
}

// world is an agent that has read the ledger.
func (r *removal) world(t *testing.T) *world {
	t.Helper()
	w := worldOn(t, r.ring, r.ledger, func(c *agent.Config) {
		c.Others, c.Auto = []agent.Store{r.vault, &store.Memory{}}, true
		if r.power != nil {
			c.Store, c.Ledger = poweredStore{r.ring, r.power}, poweredLedger{r.ledger, r.power}
			c.Others[0] = poweredStore{r.vault, r.power}
		}
	})
	if err := w.Restore(); err != nil {
		t.Fatal(err)
	}
	return w
}

// fill stores tokens: n current ones, of which the first has one before and one after it.
func (r *removal) fill(t *testing.T, n int) {
	t.Helper()
	w := r.world(t)
	for i := range n {
		w.add(request(fmt.Sprintf("c%d", i), fmt.Sprintf("CW-SECRET-s3cr3t-%d", i)))
	}
	w.add(replacing(request("c0", "CW-SECRET-s3cr3t-new")))
	w.add(waiting(request("c0", "CW-SECRET-s3cr3t-next")))
}

// move goes on with a move until it is done, and returns what was said of each step.
func move(ctx context.Context, w *world, to string) (said []ipc.MigrateReply, err error) {
	for range 1000 {
		reply, err := w.Migrate(ctx, ipc.MigrateRequest{To: to})
		if err != nil {
			return said, err
		}
		if said = append(said, reply); reply.Done {
			return said, nil
		}
	}
	return said, errors.New("it comes to no end")
}

// served wants n tokens from an agent that starts now.
func (r *removal) served(t *testing.T, n int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := r.world(t)
		defer w.run()()
		for i := range n {
			want := fmt.Sprintf("CW-SECRET-s3cr3t-%d", i)
			if i == 0 {
				want = "CW-SECRET-s3cr3t-new"
			}
			if got, err := fetchToken(w, fmt.Sprintf("c%d", i)); got != want {
				t.Errorf("c%d: %q, %v; want %q", i, got, err, want)
			}
		}
		synctest.Wait() // until all is swept
	})
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	r := newRemoval()
	r.fill(t, 40)
	had := r.ring.holds()
	w := r.world(t)
	stop := w.run()
	defer stop()
	reply, err := w.Migrate(t.Context(), ipc.MigrateRequest{To: "vault", DryRun: true})
	if err != nil || reply.Total != 42 || reply.From != "disk" || len(r.vault.took()) != 0 {
		t.Errorf("dry run: %+v, %v", reply, err)
	}
	first, err := w.Migrate(t.Context(), ipc.MigrateRequest{To: "vault"})
	if err != nil || first.Copied == 0 || first.Copied == first.Total || first.Done {
		t.Errorf("first step: %+v, %v", first, err)
	}
	w.add(request("late", "CW-SECRET-s3cr3t-late")) // in between
	said, err := move(t.Context(), w, "vault")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSortedFunc(said[2:], func(x, y ipc.MigrateReply) int { return (x.Copied - x.Left) - (y.Copied - y.Left) }) || len(said) < 5 {
		t.Errorf("steps: %+v", said)
	}
	if left := r.ring.holds(); len(left) != 0 {
		t.Errorf("left behind: %d", len(left))
	}
	if got := r.vault.holds(); !slices.Equal(got, sorted(append(had, "CW-SECRET-s3cr3t-late"))) {
		t.Errorf("moved: %d of %d", len(got), len(had)+1)
	}
	w.add(request("later", "CW-SECRET-s3cr3t-later"))
	if got := r.ring.holds(); len(got) != 0 || w.storeInfo().Kind != "vault" {
		t.Errorf("afterwards: %q, %+v", got, w.storeInfo())
	}
	r.served(t, 40)
	if said, err := move(t.Context(), w, "vault"); err != nil || len(said) != 1 {
		t.Errorf("again: %+v, %v", said, err)
	}
}

func sorted(s []string) []string { slices.Sort(s); return s }

func (w *world) storeInfo() ipc.StoreInfo {
	s, err := w.Status(w.t.Context(), ipc.StatusRequest{})
	if err != nil {
		w.t.Fatal(err)
	}
	return s.Store
}

// Whatever happens at whichever step of a move, and then a new agent: every token is
// served, and in the end each is in one store only, the old or the new.
func TestMigrateKilled(t *testing.T) {
	t.Parallel()
	const many = 3
	struck := 0
	for _, f := range fates {
		for last := 0; ; last++ {
			r := newRemoval()
			r.fill(t, many)
			had := r.ring.holds()
			r.power = &power{fate: f, last: last}
			w := r.world(t)
			_, err := mortal(func() error { _, err := move(context.Background(), w, "vault"); return err })
			if !r.power.struck() {
				break
			}
			struck++
			p := r.power
			r.power = nil
			where := fmt.Sprintf("%s at %d (%v)", f.name, last, err)
			r.served(t, many)
			if both := append(r.ring.holds(), r.vault.holds()...); !slices.Equal(sorted(both), had) {
				t.Errorf("%s: %d in one store, %d in the other, of %d", where, len(r.ring.holds()), len(r.vault.holds()), len(had))
			}
			if len(r.ring.holds()) > 0 && len(r.vault.holds()) > 0 {
				t.Errorf("%s: in two stores", where)
			}
			if _, err := move(t.Context(), r.world(t), "vault"); err != nil || len(r.ring.holds()) != 0 {
				t.Errorf("%s: again: %v", where, err)
			}
			r.served(t, many)
			if t.Failed() {
				t.Fatalf("%s: %d effects", where, p.n)
			}
		}
	}
	if struck < 100 {
		t.Errorf("only %d places", struck)
	}
	t.Logf("%d places", struck)
}

// What speaks against a move is said, and nothing is moved.
func TestMigrateRefused(t *testing.T) {
	t.Parallel()
	locked := func(context.Context, string) error { return agent.ErrLocked }
	for name, test := range map[string]struct {
		to    string
		empty bool
		set   func(r *removal, w *world)
		want  string
	}{
		"nowhere":       {to: "attic", want: `store "attic": tokens cannot rest there`},
		"memory":        {to: "memory", want: `store "memory": tokens cannot rest there`},
		"nothing":       {to: "vault", empty: true, want: "no token has been stored yet"},
		"another":       {to: "vault", set: func(_ *removal, w *world) { w.Agent.Auto = false }, want: "the config names another one"},
		"in clear":      {to: "vault", set: func(r *removal, _ *world) { r.vault.plaintext = true }, want: "it has no password"},
		"does not give": {to: "vault", set: func(r *removal, _ *world) { r.ring.hook = locked }, want: "store disk: the store is locked"},
		"does not take": {to: "vault", set: func(r *removal, _ *world) { r.vault.hook = locked }, want: "store vault: the store is locked"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRemoval()
			if !test.empty {
				r.fill(t, 2)
			}
			w := r.world(t)
			if test.set != nil {
				test.set(r, w)
			}
			var e *ipc.Error
			if _, err := move(t.Context(), w, test.to); !errors.As(err, &e) || !strings.Contains(e.What, test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
			if len(r.vault.holds()) != 0 || !test.empty && w.ledger.book(t).Store != "disk" {
				t.Errorf("%q", r.vault.holds())
			}
		})
	}
}

// The first store that takes the first token and gives it back is the one for good; one
// that is there, and wants a person, is not passed over.
func TestAuto(t *testing.T) {
	t.Parallel()
	fails := func(err error) func(*disk) {
		return func(d *disk) { d.hook = func(context.Context, string) error { return err } }
	}
	for name, test := range map[string]struct {
		ring, vault func(*disk)
		want        string // kind; empty: none
		says        string
	}{
		"both":            {want: "disk"},
		"absent":          {ring: fails(agent.ErrAbsent), want: "vault"},
		"refuses":         {ring: fails(agent.ErrRefused), want: "vault"},
		"locked":          {ring: fails(agent.ErrLocked), says: "store disk: the store is locked"},
		"does not answer": {ring: fails(&agent.Silence{Since: noon}), says: "store disk: the store is not there: does not answer since"},
		"neither":         {ring: fails(agent.ErrAbsent), vault: fails(agent.ErrAbsent), says: "store disk: the store is not there"},
		"locked instead":  {ring: fails(agent.ErrAbsent), vault: fails(agent.ErrLocked), says: "store vault: the store is locked"},
		"forgets": {want: "vault", ring: func(d *disk) {
			d.item = func(context.Context, string) error { return agent.ErrNotFound }
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRemoval()
			for d, set := range map[*disk]func(*disk){r.ring: test.ring, r.vault: test.vault} {
				if set != nil {
					set(d)
				}
			}
			w := r.world(t)
			_, err := w.Add(t.Context(), request("prod", "CW-SECRET-s3cr3t-1"))
			var e *ipc.Error
			if test.want == "" && (!errors.As(err, &e) || !strings.HasPrefix(e.What, test.says)) || test.want != "" && err != nil {
				t.Fatalf("%v, want %q", err, test.says)
			}
			if b := w.ledger.book(t); b.Store != test.want {
				t.Errorf("rests in %q, want %q", b.Store, test.want)
			}
			r.ring.hook, r.ring.item = nil, nil
			if test.want != "" && r.world(t).storeInfo().Kind != test.want {
				t.Error("it is another one after a start")
			}
		})
	}
}

// What is forgotten while it moves goes from both stores.
func TestMigrateForgotten(t *testing.T) {
	t.Parallel()
	r := newRemoval()
	r.fill(t, 20)
	w := r.world(t)
	if _, err := w.Migrate(t.Context(), ipc.MigrateRequest{To: "vault"}); err != nil || len(r.vault.holds()) == 0 {
		t.Fatalf("%v, %d copied", err, len(r.vault.holds()))
	}
	for i := range 19 {
		if err := w.Forget(t.Context(), ipc.ForgetRequest{Name: fmt.Sprintf("c%d", i+1)}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := move(t.Context(), w, "vault"); err != nil {
		t.Fatal(err)
	}
	r.served(t, 1)
	if got := r.vault.holds(); len(got) != 3 || len(r.ring.holds()) != 0 {
		t.Errorf("in the new store %q, in the old %q", got, r.ring.holds())
	}
}

// What the old store has lost, or does not give, and the agent has in memory, is saved
// in the new one; what nobody has is said to be missing.
func TestMigrateFromMemory(t *testing.T) {
	t.Parallel()
	r := newRemoval()
	r.fill(t, 3)
	synctest.Test(t, func(t *testing.T) {
		w := r.world(t)
		stop := w.run()
		synctest.Wait()
		gone := 0
		for key, secret := range r.ring.secrets {
			if secret.Reveal() == "CW-SECRET-s3cr3t-1" || secret.Reveal() == "CW-SECRET-s3cr3t-0" {
				delete(r.ring.secrets, key) // the second gave way, and is in no memory after a start
				gone++
			}
		}
		said, err := move(t.Context(), w, "vault")
		if err != nil || gone != 2 || said[len(said)-1].Total != 5 || said[0].Missing != 1 {
			t.Errorf("%d gone: %+v, %v", gone, said, err)
		}
		stop()
	})
	r.served(t, 3)
}

// A move in the one direction does not undo one in the other, and its end lets it begin.
func TestMigrateAgainst(t *testing.T) {
	t.Parallel()
	r := newRemoval()
	r.fill(t, 40)
	third := &disk{kind: "third", secrets: map[string]ipc.Secret{}}
	w := worldOn(t, r.ring, r.ledger, func(c *agent.Config) { c.Others, c.Auto = []agent.Store{r.vault, third}, true })
	if err := w.Restore(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Migrate(t.Context(), ipc.MigrateRequest{To: "vault"}); err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{"third", "disk"} {
		_, err := w.Migrate(t.Context(), ipc.MigrateRequest{To: other})
		if e := refused(t, err, ipc.CodeExists); e.What != "store "+other+": the tokens are being moved to the vault" {
			t.Error(e.What)
		}
	}
	if _, err := move(t.Context(), w, "vault"); err != nil {
		t.Fatal(err)
	}
	if _, err := move(t.Context(), w, "third"); err != nil || len(third.holds()) != 42 {
		t.Errorf("%v, %d", err, len(third.holds()))
	}
}
