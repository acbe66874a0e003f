package agent_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/agent"
)

// others is the credential that an agent on another machine changes.
const others = "others"

// A copybook is one of several agents' view of a notebook.
type copybook struct {
	*notebook
	turn   chan struct{} // of all of them; has room for one
	before func()        // each turn; nil: nothing is

	seen string
}

func (c *copybook) Lock(ctx context.Context) (unlock func(), err error) {
	if c.before != nil {
		c.before()
	}
	select {
	case c.turn <- struct{}{}:
		return func() { <-c.turn }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (c *copybook) content() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.text)
}

func (c *copybook) Changed() (bool, error) {
	now := c.content()
	return now != "" && now != c.seen, nil
}

func (c *copybook) Load() (agent.Book, error) {
	c.seen = c.content()
	return c.notebook.Load()
}

func (c *copybook) Save(b agent.Book) error {
	err := c.notebook.Save(b)
	c.seen = c.content()
	return err
}

// Whatever fails at whichever step of a change, and whenever an agent dies: the one
// of another machine, which changes something before each of its changes, finds what
// the next start would find, loses nothing of its own, and leaves nothing in the
// store that nobody needs.
func TestCrashBesideAnotherMachine(t *testing.T) {
	t.Parallel()
	lives := 0
	for _, f := range slices.Concat(fates[:4], fates[5:6], fates[8:9]) { // the others differ in details of one agent
		for last := 0; ; last++ {
			p := &power{fate: f, last: last}
			t.Run(fmt.Sprintf("%s at %d", f.name, last+1), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { crashBeside(t, p) })
			})
			lives++
			if !p.struck() || t.Failed() {
				break
			}
		}
	}
	t.Logf("%d lives", lives)
}

func crashBeside(t *testing.T, p *power) {
	d, n, turn := newDisk(), &notebook{}, make(chan struct{}, 1)
	w, b := worldOn(t, d, n), worldOn(t, d, n)
	b.Agent.Ledger = &copybook{notebook: n, turn: turn}
	defer b.run()()
	changes := 0
	w.Agent.Ledger = &copybook{notebook: n, turn: turn, before: func() {
		if changes == 100 {
			return // an agent that runs looks at each change
		}
		changes++
		r := request(others, fmt.Sprintf("s3cr3t-others-%d", changes))
		r.Replace = changes > 1
		if _, err := b.Add(context.Background(), r); err != nil {
			t.Errorf("the other one: %v", err)
		}
	}}
	w.plug(p)
	may := live(t, w, p)
	for _, m := range may {
		may = append(may, m.promoted())
	}
	b.Sync(t.Context())
	synctest.Wait()
	b.Sweep(t.Context())
	synctest.Wait()
	b.serves(others, fmt.Sprintf("s3cr3t-others-%d", changes))
	got, stored := b.model(), slices.DeleteFunc(d.holds(), func(s string) bool { return strings.HasPrefix(s, "s3cr3t-others-") })
	for _, m := range may {
		want := m.revived()
		if got.is(want) && slices.Equal(stored, want.tokens()) && len(n.book(t).Orphans) == 0 {
			return
		}
	}
	t.Fatalf("found %v, store %q, orphans %q;\nwant one of %v", got, stored, n.book(t).Orphans, may)
}

// Two agents with the same source ask it about as often as one: whoever is first has
// the next token for both, and neither ever has none to give.
func TestSourceOfTwoMachines(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d, n, turn, source := newDisk(), &notebook{}, make(chan struct{}, 1), &tap{}
		var all []*world
		for _, host := range []string{"login1", "login2"} {
			w := worldOn(t, d, n, func(c *agent.Config) {
				c.Ledger, c.Host, c.Now = &copybook{notebook: n, turn: turn}, host, time.Now
			})
			w.clock = time.Now
			defer w.run()()
			w.feed(source)
			all = append(all, w)
		}
		synctest.Wait()
		for range 24 * 60 {
			time.Sleep(time.Minute)
			for _, w := range all {
				if token, _, stderr := w.fetch("prod", home); token == "" {
					t.Fatal(stderr)
				}
			}
		}
		if n := len(source.times()); n < 24 || n > 45 {
			t.Errorf("asked %d times in a day for tokens of an hour", n)
		}
		t.Logf("asked %d times", len(source.times()))
	})
}
