package agent_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/cwagent/cwagent/ipc"
)

// A claim is what a credential has to be.
type claim struct {
	token   string
	saved   bool
	servers int
	kept    string // the saved token that it took over from, and that a restart falls back to
}

// model is what all credentials have to be, by name.
type model map[string]claim

// A deed is one change, and what it makes of the model.
type deed struct {
	name string
	do   func(w *world) error
	then func(m model)
}

func adding(r ipc.AddRequest) func(*world) error {
	return func(w *world) error { _, err := w.Add(context.Background(), r); return err }
}

func deeds() []deed {
	brief, wider := request("brief", "s3cr3t-brief"), request("prod", "s3cr3t-prod-1")
	brief.Ephemeral = true
	wider.Servers = []ipc.Server{{URL: "https://b.example.com:443"}}
	set := func(name, token string, saved bool, servers int) func(model) {
		return func(m model) { m[name] = claim{token, saved, servers, ""} }
	}
	unasked := replacing(request("prod", "s3cr3t-prod-5"))
	unasked.NoVerify = true
	kept := func(then func(model), token string) func(model) {
		return func(m model) { then(m); c := m["prod"]; c.kept = token; m["prod"] = c }
	}
	return []deed{
		{"create", adding(request("prod", "s3cr3t-prod-1")), set("prod", "s3cr3t-prod-1", true, 1)},
		{"create in memory", adding(brief), set("brief", "s3cr3t-brief", false, 1)},
		{"create another", adding(request("gone", "s3cr3t-gone")), set("gone", "s3cr3t-gone", true, 1)},
		{"extend", adding(wider), set("prod", "s3cr3t-prod-1", true, 2)},
		{"replace", adding(replacing(request("prod", "s3cr3t-prod-2"))), set("prod", "s3cr3t-prod-2", true, 2)},
		{"save what was in memory", adding(request("brief", "s3cr3t-brief")), set("brief", "s3cr3t-brief", true, 1)},
		{"bind", func(w *world) error {
			_, err := w.Servers(context.Background(), ipc.ServersRequest{Name: "brief", Add: wider.Servers})
			return err
		}, set("brief", "s3cr3t-brief", true, 2)},
		{"verify", func(w *world) error {
			_, err := w.Verify(context.Background(), ipc.VerifyRequest{Name: "prod"})
			return err
		}, func(model) {}},
		{"forget", func(w *world) error {
			return w.Forget(context.Background(), ipc.ForgetRequest{Name: "gone"})
		}, func(m model) { delete(m, "gone") }},
		{"replace again", adding(replacing(request("prod", "s3cr3t-prod-3"))), set("prod", "s3cr3t-prod-3", true, 2)},
		{"replace in memory", adding(ephemeral(replacing(request("prod", "s3cr3t-prod-4")))),
			kept(set("prod", "s3cr3t-prod-4", false, 2), "s3cr3t-prod-3")},
		{"replace, asking nobody", adding(unasked), kept(set("prod", "s3cr3t-prod-5", true, 2), "s3cr3t-prod-3")},
		{"replace for good", adding(replacing(request("prod", "s3cr3t-prod-6"))), set("prod", "s3cr3t-prod-6", true, 2)},
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
// and does when asked again what it could not.
func live(t *testing.T, w *world, p *power) (may []model) {
	m := model{}
	for _, d := range deeds() {
		after := maps.Clone(m)
		d.then(after)
		err, died := mortal(func() error { return d.do(w) })
		if err != nil && p.heals {
			w.keeps(d.name+" failed", m)
			err, died = mortal(func() error { return d.do(w) })
			if err != nil {
				t.Fatalf("%s, again: %v", d.name, err)
			}
		}
		if died || err != nil {
			if !died {
				w.keeps(d.name+" failed", m)
			}
			return []model{m, after}
		}
		m = after
		w.keeps(d.name, m)
		if p.struck() && !p.heals {
			break
		}
	}
	return []model{m}
}

// keeps wants an agent that lives to be as m.
func (w *world) keeps(when string, m model) {
	w.t.Helper()
	same := func(got, want claim) bool { want.kept = ""; return got == want }
	if got := w.model(); !maps.EqualFunc(got, m, same) {
		w.t.Fatalf("%s: %v, want %v", when, got, m)
	}
	stored := w.disk.holds()
	for name, c := range m {
		if c.saved && !slices.Contains(stored, c.token) || c.kept != "" && !slices.Contains(stored, c.kept) {
			w.t.Fatalf("%s: %s is said to be saved; the store holds %q", when, name, stored)
		}
	}
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
		token, err := fetchToken(w, c.Name)
		if err != nil || (token == "") != (c.State == ipc.StateEmpty) {
			w.t.Fatalf("%s: %s, %v", c.Name, c.State, err)
		}
		m[c.Name] = claim{token, c.Saved, len(c.Servers), ""}
	}
	return m
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
		want, tokens := model{}, []string{}
		for name, c := range m {
			if c.kept != "" {
				tokens = append(tokens, c.kept)
			}
			switch {
			case c.saved:
				tokens = append(tokens, c.token)
			case c.kept != "":
				c.token, c.saved = c.kept, true
			default:
				c.token = "" // it is there, and says what to do
			}
			c.kept = ""
			want[name] = c
		}
		slices.Sort(tokens)
		if maps.Equal(got, want) && slices.Equal(stored, tokens) && len(book.Orphans) == 0 &&
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

// start lets an agent begin, until it has read and swept all that it can.
func start(w *world, p *power) {
	w = w.restart()
	w.plug(p)
	stop := w.run()
	synctest.Wait()
	stop()
	if log := w.log.String(); strings.Contains(log, "level=ERROR") {
		w.t.Errorf("log:\n%s", log)
	}
}
