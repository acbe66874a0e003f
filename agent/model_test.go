package agent_test

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// A claim is what a credential has to be.
type claim struct {
	token   string
	saved   bool
	servers int
	kept    []string // gave way, the newest first; what the store has not is inMemory
	waits   string   // in standby
}

const inMemory = "(in memory)"

// model is what all credentials have to be, by name.
type model map[string]claim

// promote makes token the one that serves; that before is kept, and four of those.
func (c *claim) promote(token string, saved bool) {
	old := c.token
	if !c.saved {
		old = inMemory
	}
	c.kept = slices.Insert(slices.Clone(c.kept), 0, old)
	c.kept = c.kept[:min(len(c.kept), 4)]
	c.token, c.saved = token, saved
}

// revived is what an agent finds that comes after one with that claim: what was in
// memory is gone, and the newest one before that was found alive serves in its
// place.
func (c claim) revived() claim {
	c.kept = without(c.kept, inMemory)
	if c.saved {
		return c
	}
	c.token = "" // it is there, and says what to do
	for _, t := range c.kept {
		if t != "s3cr3t-unasked" {
			c.token, c.saved, c.kept = t, true, without(c.kept, t)
			break
		}
	}
	return c
}

func without(all []string, one string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == one })
}

func (c claim) is(d claim) bool {
	return c.token == d.token && c.saved == d.saved && c.servers == d.servers && c.waits == d.waits && slices.Equal(c.kept, d.kept)
}

func (m model) clone() model { return maps.Clone(m) }

func (m model) is(n model) bool { return maps.EqualFunc(m, n, claim.is) }

func (m model) revived() model {
	n := model{}
	for name, c := range m {
		n[name] = c.revived()
	}
	return n
}

// unsaved is m where what it has that before had not is in memory only.
func (m model) unsaved(before model) model {
	n := m.clone()
	for name, c := range m {
		if was, ok := before[name]; ok && c.token != was.token {
			c.saved = false
			n[name] = c
		}
	}
	return n
}

// promoted is what is revived of m where standby tokens have taken over.
func (m model) promoted() model {
	n := m.revived()
	for name, c := range n {
		if c.waits != "" {
			c.promote(c.waits, true)
			c.waits = ""
			n[name] = c
		}
	}
	return n
}

// tokens are all that a store has to hold, sorted.
func (m model) tokens() []string {
	all := []string{}
	for _, c := range m {
		if c.saved {
			all = append(all, c.token)
		}
		if c.waits != "" {
			all = append(all, c.waits)
		}
		all = append(all, without(c.kept, inMemory)...)
	}
	slices.Sort(all)
	return all
}

// keeps wants an agent that lives to be as m, and the store to hold what it says
// to be saved.
func (w *world) keeps(when string, m model) {
	w.t.Helper()
	got := w.model()
	for name, c := range m {
		if g := got[name]; !g.saved && w.status(name).Unsaved != "" {
			c.saved = false
			m = m.clone()
			m[name] = c
		}
	}
	if !got.is(m) {
		w.t.Fatalf("%s: %v, want %v", when, got, m)
	}
	stored := w.disk.holds()
	for _, token := range m.tokens() {
		if !slices.Contains(stored, token) {
			w.t.Fatalf("%s: %s is said to be saved; the store holds %q", when, token, stored)
		}
	}
}

// unsaved reports whether anything is said not to be saved that should be.
func (w *world) unsaved() bool {
	s, _ := w.Status(context.Background(), ipc.StatusRequest{})
	return slices.ContainsFunc(s.Credentials, func(c ipc.Credential) bool { return c.Unsaved != "" })
}

// model asks the agent how its credentials are.
func (w *world) model() model {
	w.t.Helper()
	m := model{}
	s, err := w.Status(context.Background(), ipc.StatusRequest{})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range s.Credentials {
		if c.Name == others {
			continue
		}
		token, err := fetchToken(w, c.Name)
		if err != nil || (token == "") != (c.State == ipc.StateEmpty) {
			w.t.Fatalf("%s: %s, %v", c.Name, c.State, err)
		}
		is := claim{token: token, saved: c.Saved, servers: len(c.Servers)}
		for _, t := range c.Retiring {
			is.kept = append(is.kept, w.disk.named(t.Label))
			if !t.Kept {
				w.t.Fatalf("%s: %+v is neither kept nor to be deleted", c.Name, t)
			}
		}
		for _, t := range c.Standby {
			is.waits += w.disk.named(t.Label)
		}
		m[c.Name] = is
	}
	return m
}

// named returns the secret whose key has that label.
func (d *disk) named(label string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	for key, s := range d.secrets {
		if strings.HasSuffix(key, " "+label) {
			return s.Reveal()
		}
	}
	return inMemory
}

// mint is a source that gives another token at each call.
type mint struct {
	w *world
	n int
}

func (*mint) Kind() string { return "mint" }

func (s *mint) Next(context.Context, agent.Occasion) (agent.Minted, error) {
	s.n++
	secret := ipc.NewSecret("s3cr3t-minted-" + strconv.Itoa(s.n))
	return agent.Minted{Secret: secret, Expiry: ipc.ExpiryKnown, Expires: s.w.clock().Add(24 * time.Hour)}, nil
}

// sourced gives prod a source.
func (w *world) sourced() {
	set := agent.Settings{Credentials: map[string]agent.Setting{"prod": {Source: &mint{w: w}}}}
	if err := w.Configure(context.Background(), set); err != nil {
		w.t.Error(err)
	}
}

// start lets an agent begin, until it has read and swept all that it can.
func start(w *world, p *power) {
	w = w.restart()
	w.plug(p)
	w.runOn(p)
	if log := w.log.String(); strings.Contains(log, "level=ERROR") {
		w.t.Errorf("log:\n%s", log)
	}
}
