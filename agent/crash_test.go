package agent_test

import (
	"context"
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// A deed is one change, and what it makes of the model.
type deed struct {
	name string
	do   func(w *world) error
	then func(m model)
}

func adding(r ipc.AddRequest) func(*world) error {
	return func(w *world) error { _, err := w.Add(context.Background(), r); return err }
}

func rotating(r ipc.RotateRequest) func(*world) error {
	return func(w *world) error { _, err := w.Rotate(context.Background(), r); return err }
}

// on makes a step of the model of what a change does to one credential.
func on(name string, f func(c *claim)) func(model) {
	return func(m model) { c := m[name]; f(&c); m[name] = c }
}

func deeds() []deed {
	brief, wider := ephemeral(request("brief", "s3cr3t-brief")), request("prod", "s3cr3t-prod-1")
	wider.Servers = []ipc.Server{{URL: "https://b.example.com:443"}}
	unasked := replacing(request("prod", "s3cr3t-unasked"))
	unasked.NoVerify = true
	created := func(name, token string, saved bool) func(model) {
		return func(m model) { m[name] = claim{token: token, saved: saved, servers: 1} }
	}
	replaced := func(token string) func(model) { return on("prod", func(c *claim) { c.promote(token, true) }) }
	return append([]deed{
		{"create", adding(request("prod", "s3cr3t-prod-1")), created("prod", "s3cr3t-prod-1", true)},
		{"create in memory", adding(brief), created("brief", "s3cr3t-brief", false)},
		{"create another", adding(request("gone", "s3cr3t-gone")), created("gone", "s3cr3t-gone", true)},
		{"create two together", func(w *world) error {
			_, err := w.AddAll(context.Background(), []ipc.AddRequest{request("left", "s3cr3t-left"), request("right", "s3cr3t-right")})
			return err
		}, func(m model) { created("left", "s3cr3t-left", true)(m); created("right", "s3cr3t-right", true)(m) }},
		{"extend", adding(wider), on("prod", func(c *claim) { c.servers = 2 })},
		{"replace", adding(replacing(request("prod", "s3cr3t-prod-2"))), replaced("s3cr3t-prod-2")},
		{"save what was in memory", adding(request("brief", "s3cr3t-brief")), on("brief", func(c *claim) { c.saved = true })},
		{"bind", func(w *world) error {
			_, err := w.Servers(context.Background(), ipc.ServersRequest{Name: "brief", Add: wider.Servers})
			return err
		}, on("brief", func(c *claim) { c.servers = 2 })},
		{"verify", func(w *world) error {
			_, err := w.Verify(context.Background(), ipc.VerifyRequest{Name: "prod"})
			return err
		}, func(model) {}},
		{"forget", func(w *world) error {
			return w.Forget(context.Background(), ipc.ForgetRequest{Name: "gone"})
		}, func(m model) { delete(m, "gone") }},
		{"replace again", adding(replacing(request("prod", "s3cr3t-prod-3"))), replaced("s3cr3t-prod-3")},
		{"replace in memory", adding(ephemeral(replacing(request("prod", "s3cr3t-prod-4")))),
			on("prod", func(c *claim) { c.promote("s3cr3t-prod-4", false) })},
		{"replace, asking nobody", adding(unasked), replaced("s3cr3t-unasked")},
		{"replace for good", adding(replacing(request("prod", "s3cr3t-prod-6"))), replaced("s3cr3t-prod-6")},
	}, rotations(replaced)...)
}

// rotations are the deeds of which one token or the other takes over.
func rotations(replaced func(token string) func(model)) []deed {
	again := rotating(ipc.RotateRequest{Name: "prod"})
	return []deed{
		{"put one in standby", adding(waiting(request("prod", "s3cr3t-next"))), on("prod", func(c *claim) { c.waits = "s3cr3t-next" })},
		{"rotate to it", again, on("prod", func(c *claim) { c.waits = ""; c.promote("s3cr3t-next", true) })},
		{"roll back", rotating(ipc.RotateRequest{Name: "prod", Rollback: true}), on("prod", func(c *claim) {
			back := c.kept[0]
			c.kept = c.kept[1:]
			c.promote(back, true)
		})},
		{"done with it", func(w *world) error {
			which := ""
			for _, t := range w.status("prod").Retiring {
				if w.disk.named(t.Label) == "s3cr3t-next" {
					which = t.Label
				}
			}
			_, err := w.Retired(context.Background(), ipc.RetiredRequest{Done: which})
			return err
		}, on("prod", func(c *claim) { c.kept = without(c.kept, "s3cr3t-next") })},
		{"get one from a source", func(w *world) error {
			w.sourced()
			return again(w)
		}, replaced("s3cr3t-minted-1")},
		{"replace what the source gave", adding(replacing(request("prod", "s3cr3t-prod-7"))), replaced("s3cr3t-prod-7")},
		{"get another from the source", again, replaced("s3cr3t-minted-2")},
	}
}

// mortal runs f as a goroutine that may be ended, and reports whether it was.
func mortal(f func() error) (err error, died bool) {
	died = true
	done := make(chan struct{})
	go func() {
		defer close(done)
		err = f()
		died = false
	}()
	<-done
	return err, died
}

// live does one deed after the other until the fate strikes, and returns what
// may be found on disk after that. An agent that lives keeps to what it said,
// does when asked again what it could not, and saves by itself what it said not to
// be saved, as soon as it can.
func live(t *testing.T, w *world, p *power) (may []model) {
	m := model{}
	for _, d := range deeds() {
		after := m.clone()
		d.then(after)
		err, died := mortal(func() error { return d.do(w) })
		if err != nil && p.heals && !died {
			w.keeps(d.name+" failed", m)
			if err, died = mortal(func() error { return d.do(w) }); err != nil {
				t.Fatalf("%s, again: %v", d.name, err)
			}
		}
		if err != nil {
			w.keeps(d.name+" failed", m)
			return []model{m, after}
		}
		if !died && w.unsaved() {
			if !p.struck() {
				t.Fatalf("%s: not saved, and nothing has failed", d.name)
			}
			w.keeps(d.name+", not saved", after)
			if !p.heals {
				return []model{m, after, after.unsaved(m)}
			}
			died = w.mend(p)
		}
		if died {
			return []model{m, after, after.unsaved(m)}
		}
		m = after
		w.keeps(d.name, m)
		if p.struck() && !p.heals {
			break
		}
	}
	return []model{m}
}

// mend lets the agent run a minute later, and reports whether it died of it.
func (w *world) mend(p *power) (died bool) {
	w.set(time.Unix(0, w.now.Load()).Add(time.Minute))
	return w.runOn(p)
}

// runOn lets the agent do all that it can do now, and reports whether it died of
// it: nothing of it goes on then.
func (w *world) runOn(p *power) (died bool) {
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	p.dead = func() { died = true; cancel() }
	stop := w.runFor(ctx)
	synctest.Wait()
	stop()
	p.dead = nil
	return died
}

// revive starts an agent over what is left and wants it to be as one of those
// models, but for what was in memory only, with a store that holds just that.
func revive(t *testing.T, w *world, may []model) {
	t.Helper()
	w = w.restart()
	stop := w.run()
	defer stop()
	synctest.Wait()
	got, book, stored := w.model(), w.ledger.book(t), w.disk.holds()
	for _, m := range may {
		want := m.revived()
		tokens := want.tokens()
		if got.is(want) && fmt.Sprint(stored) == fmt.Sprint(tokens) && len(book.Orphans) == 0 &&
			(book.Store == "disk" || len(tokens) == 0) {
			return
		}
	}
	t.Fatalf("found %v, store %q, orphans %q, in %q;\nwant one of %v", got, stored, book.Orphans, book.Store, may)
}

// Whatever fails at whichever step, and whenever the agent dies: what worked
// works again after the next start, with its old token or its new one, no name
// is lost, and the store holds what is needed and nothing else.
func TestCrash(t *testing.T) {
	t.Parallel()
	steps, lives := 0, 0
	for _, f := range fates {
		for last := 0; ; last++ {
			p := &power{fate: f, last: last}
			t.Run(fmt.Sprintf("%s at %d", f.name, last+1), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { crash(t, p, &lives) })
			})
			if !p.struck() {
				steps = p.n
				break
			}
		}
	}
	t.Logf("%d steps, %d kinds of failure, %d lives", steps, len(fates), lives)
}

// crash lets one agent live until its fate. Where it left something to sweep,
// those that come after it fail at each step of their start before one is well.
func crash(t *testing.T, p *power, lives *int) {
	w := newWorld(t)
	w.plug(p)
	may := live(t, w, p)
	*lives++
	if len(w.ledger.book(t).Orphans) == 0 {
		revive(t, w, may)
		return
	}
	for _, m := range may {
		may = append(may, m.promoted()) // a store that does not give the current one
	}
	text, secrets := w.ledger.text, maps.Clone(w.disk.secrets)
	for _, f := range shortly {
		for second := (&power{fate: f}); ; second = (&power{fate: f, last: second.last + 1}) {
			*lives++
			w.ledger.text, w.disk.secrets = text, maps.Clone(secrets)
			start(w, second)
			revive(t, w, may)
			if !second.struck() {
				break
			}
		}
	}
}
