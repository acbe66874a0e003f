package agent_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/ledger"
	"github.com/cwagent/cwagent/ipc"
)

// hosts are agents on several machines: one state folder, with its real locks, and
// one store that all of them reach.
func hosts(t *testing.T, n int) (all []*world) {
	t.Helper()
	d, dir := newDisk(), t.TempDir()
	for i := range n {
		all = append(all, hostOn(t, d, dir, fmt.Sprintf("login%d", i+1)))
	}
	return all
}

// hostOn starts an agent on a machine of that name.
func hostOn(t *testing.T, d *disk, dir, host string) *world {
	t.Helper()
	w := worldOn(t, d, &notebook{}, func(c *agent.Config) { c.Ledger, c.Host = &ledger.File{Dir: dir}, host })
	if err := w.Restore(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.run())
	return w
}

// What one agent adds, replaces and forgets, the other one serves, has replaced and
// has forgotten: at the next look, or at once where somebody asks for what it does
// not know.
func TestOtherMachine(t *testing.T) {
	t.Parallel()
	all := hosts(t, 2)
	a, b := all[0], all[1]
	a.add(request("prod", "s3cr3t-1"))
	b.serves("prod", "s3cr3t-1") // it was not told

	b.add(replacing(request("prod", "s3cr3t-2")))
	a.Sync(t.Context())
	a.serves("prod", "s3cr3t-2")
	if got := a.status("prod").Retiring; len(got) != 1 {
		t.Errorf("%+v", got)
	}

	if err := a.Forget(t.Context(), ipc.ForgetRequest{Name: "prod"}); err != nil {
		t.Fatal(err)
	}
	b.Sync(t.Context())
	if token, _, stderr := b.fetch("prod", home); token != "" {
		t.Errorf("%q, %s", token, stderr)
	}
	if left := a.disk.holds(); len(left) > 0 {
		t.Errorf("left in the store: %q", left)
	}
}

// A token that has ended here may have been replaced there.
func TestOtherMachineHasTheNextOne(t *testing.T) {
	t.Parallel()
	all := hosts(t, 2)
	a, b := all[0], all[1]
	a.add(lasting(request("prod", "s3cr3t-1"), time.Hour))
	b.serves("prod", "s3cr3t-1")
	a.add(lasting(replacing(request("prod", "s3cr3t-2")), 3*time.Hour))
	b.set(noon.Add(2 * time.Hour))
	b.serves("prod", "s3cr3t-2")
}

// Two agents that change as fast as they can lose nothing of each other, and sweep
// nothing that the other one is about to use.
func TestOtherMachineAtTheSameTime(t *testing.T) {
	t.Parallel()
	const each = 50
	all := hosts(t, 2)
	all[0].add(request("both", "s3cr3t-both"))
	var changing sync.WaitGroup
	for i, w := range all {
		changing.Go(func() {
			for n := range each {
				name := fmt.Sprintf("c%d-%d", i, n/5)
				r := request(name, fmt.Sprintf("s3cr3t-%s-%d", name, n%5))
				if n%5 > 0 {
					r = replacing(r)
				}
				_, err := w.Add(context.Background(), r)
				if n%5 == 4 && err == nil {
					err = w.Forget(context.Background(), ipc.ForgetRequest{Name: fmt.Sprintf("c%d-%d", i, n/5)})
					if err == nil && n%10 == 9 {
						_, err = w.Add(context.Background(), request(name, "s3cr3t-"+name))
					}
				}
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
	changing.Wait()
	want := []string{"s3cr3t-both"}
	for i := range all {
		for n := 1; n < each/5; n += 2 {
			want = append(want, fmt.Sprintf("s3cr3t-c%d-%d", i, n))
		}
	}
	slices.Sort(want)
	for _, w := range all {
		w.Sync(t.Context())
		for _, token := range want {
			w.serves(token[len("s3cr3t-"):], token)
		}
	}
	if got := all[0].disk.holds(); !slices.Equal(got, want) {
		t.Errorf("the store holds %q\nwant %q", got, want)
	}
}

// lasting is r with a token that ends so long after noon.
func lasting(r ipc.AddRequest, d time.Duration) ipc.AddRequest {
	end := noon.Add(d)
	r.Expiry, r.Expires = ipc.ExpiryKnown, &end
	return r
}

// What one agent has in memory only stays with it, whatever the other one writes.
func TestOtherMachineLeavesMemory(t *testing.T) {
	t.Parallel()
	brief, unsaved := ephemeral(request("prod", "s3cr3t-mine")), replacing(request("prod", "s3cr3t-mine"))
	other := ipc.ServersRequest{Name: "prod", Add: []ipc.Server{{URL: "https://b.example.com:443"}}}
	back := ipc.RotateRequest{Name: "prod", Rollback: true}
	for _, c := range []struct {
		name   string
		first  []ipc.AddRequest // both know these
		mine   ipc.AddRequest   // the first one alone has it
		theirs func(b *world) error
		wants  string // of the first one
		then   string // of the other one
		kept   int    // tokens that gave way, at the first one
		says   string // the other one, before it does that
	}{
		{"ephemeral, and nothing else is there", nil, brief, func(b *world) error { _, err := b.Servers(b.t.Context(), other); return err }, "s3cr3t-mine", "", 0, "its token is in the memory of the agent of login1 only"},
		{"ephemeral, forgotten there", nil, brief, func(b *world) error { return b.Forget(b.t.Context(), ipc.ForgetRequest{Name: "prod"}) }, "s3cr3t-mine", "", 0, "its token is in the memory of the agent of login1 only"},
		{"in place of one that was saved; bound there", []ipc.AddRequest{request("prod", "s3cr3t-1")}, unsaved,
			func(b *world) error { _, err := b.Servers(b.t.Context(), other); return err }, "s3cr3t-mine", "s3cr3t-1", 1, "its newer token is in the memory of the agent of login1 only: this is the one before"},
		{"in place of one that was saved; replaced there", []ipc.AddRequest{request("prod", "s3cr3t-1")}, unsaved,
			adding(replacing(request("prod", "s3cr3t-2"))), "s3cr3t-2", "s3cr3t-2", 2, "its newer token is in the memory of the agent of login1 only: this is the one before"},
		{"in place of one that was saved; gone back there", []ipc.AddRequest{request("prod", "s3cr3t-0"), replacing(request("prod", "s3cr3t-1"))}, unsaved,
			func(b *world) error { _, err := b.Rotate(b.t.Context(), back); return err }, "s3cr3t-0", "s3cr3t-0", 2, "its newer token is in the memory of the agent of login1 only: this is the one before"},
		{"in place of one that was saved; forgotten there", []ipc.AddRequest{request("prod", "s3cr3t-1")}, unsaved,
			func(b *world) error { return b.Forget(b.t.Context(), ipc.ForgetRequest{Name: "prod"}) }, "s3cr3t-mine", "", 0, "its newer token is in the memory of the agent of login1 only: this is the one before"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var broken atomic.Bool
			d, dir := newDisk(), t.TempDir()
			d.hook = func(context.Context, string) error {
				if broken.Load() {
					return agent.ErrAbsent
				}
				return nil
			}
			a, b := hostOn(t, d, dir, "login1"), hostOn(t, d, dir, "login2")
			for _, r := range c.first {
				a.add(r)
			}
			b.Sync(t.Context())
			if len(c.first) > 0 {
				b.serves("prod", c.first[len(c.first)-1].Secret.Reveal())
			}
			broken.Store(!c.mine.Ephemeral)
			a.add(c.mine)
			broken.Store(false)
			b.Sync(t.Context())
			if said := b.status("prod").Reason; said != c.says {
				t.Errorf("the other one says %q", said)
			}
			if err := c.theirs(b); err != nil {
				t.Fatal(err)
			}
			a.Sync(t.Context())
			a.serves("prod", c.wants)
			if got := a.status("prod").Retiring; len(got) != c.kept {
				t.Errorf("%d gave way, want %d: %+v", len(got), c.kept, got)
			}
			if token, _, stderr := b.fetch("prod", home); token != c.then {
				t.Errorf("the other one: %q, %s; want %q", token, stderr, c.then)
			}
		})
	}
}

// sunk is a ledger on a file server that is gone: it does not answer.
type sunk struct {
	agent.Ledger
	gone    atomic.Bool
	back    chan struct{}
	waiting atomic.Int32
}

func (s *sunk) Changed() (bool, error) {
	if s.gone.Load() {
		s.waiting.Add(1)
		<-s.back
	}
	return s.Ledger.Changed()
}

// A state folder that does not answer keeps no token from taking over, and nobody
// waiting; one call of it hangs, and when it is back all is saved.
func TestStateFolderHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s := &sunk{Ledger: w.ledger, back: make(chan struct{})}
		w.Agent.Ledger = s
		w.clock = time.Now
		defer w.run()()
		w.add(request("prod", "s3cr3t-1"))
		s.gone.Store(true)
		start := time.Now()
		w.add(replacing(request("prod", "s3cr3t-2")))
		w.serves("prod", "s3cr3t-2")
		_, err := w.Add(t.Context(), request("dev", "s3cr3t-dev"))
		if e := refused(t, err, ipc.CodeStore); e.What != "state folder: it does not answer" {
			t.Errorf("%+v", e)
		}
		if took := time.Since(start); took > 7*time.Second || s.waiting.Load() != 1 {
			t.Errorf("%v, %d calls hang", took, s.waiting.Load())
		}
		start = time.Now()
		if _, _, stderr := w.fetch("dev", home); !strings.Contains(stderr, "no such credential") || time.Since(start) > time.Second {
			t.Errorf("%s, after %v", stderr, time.Since(start))
		}
		if c := w.status("prod"); c.Saved {
			t.Errorf("%+v", c)
		}
		s.gone.Store(false)
		close(s.back)
		time.Sleep(time.Minute)
		synctest.Wait()
		if c := w.status("prod"); !c.Saved {
			t.Errorf("%+v", c)
		}
		w.add(request("dev", "s3cr3t-dev"))
	})
}
