package absorb_test

import (
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/rewritten"
	"github.com/cwagent/cwagent/ipc"
)

// What was decided about a token no longer holds when its file is to be rewritten:
// the token stays where it is, since it may be nowhere else.
func TestMeanwhile(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		do  func(w *world) error
		why string
	}{
		"forgotten": {(*world).forget, "no credential is bound"},
		"unbound":   {(*world).unbind, "is not bound to all servers"},
		"replaced by one that is not saved": {func(w *world) error {
			w.disk.fails(agent.ErrLocked)
			w.replace(second)
			return nil
		}, "is not saved yet"},
		"restored": {(*world).restored, "it was restored"},
		"forgotten and made anew": {func(w *world) error {
			err := w.forget()
			w.add("prod", second, prod)
			w.oracle.set(first, alive("org", "you"))
			return err
		}, "belongs to"},
	} {
		for when, hook := range map[string]func(w *world, do func()){
			"before it is edited": func(w *world, do func()) { w.deciding = do },
			"when it is edited":   func(w *world, do func()) { w.deciding = func() { w.recognized = do } },
		} {
			if name == "restored" && when != "before it is edited" {
				continue // restore has to wait for its turn
			}
			t.Run(name+" "+when, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.write(w.config, written("me", first, prod))
				hook(w, func() { must(t, tt.do(w)) })
				w.run()
				w.left(w.config, tt.why)
				if files, err := w.state.Load(); err != nil || len(files) > 0 && files[0].Restored == nil {
					t.Errorf("noted: %+v, %v", files, err)
				}
			})
		}
	}
}

func (w *world) forget() error {
	return w.Forget(w.t.Context(), ipc.ForgetRequest{Name: "prod"})
}

func (w *world) unbind() error {
	_, err := w.Servers(w.t.Context(), ipc.ServersRequest{Name: "prod", Remove: []string{prod}})
	return err
}

// restored notes the config as restore does.
func (w *world) restored() error {
	now := time.Now()
	return w.state.Update(func([]rewritten.File) ([]rewritten.File, error) {
		return []rewritten.File{{Path: w.config, At: now, Restored: &now}}, nil
	})
}

// Import has had its turn while a token was asked about, and made it a credential
// of its own.
func TestImportedMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(w.config, written("me", second, prod))
	w.tried = func() { w.add("mine", second, prod) }
	w.run()
	w.absorbed(w.config, "mine")
	w.token("prod", first)
	if x, _ := w.watch(w.config); strings.Contains(x.Why, "new token") {
		t.Errorf("%+v", x)
	}
}

// The credential has been made anew while a token was asked about, and nobody knows
// whose it is now.
func TestMadeAnewMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(w.config, written("me", second, prod))
	w.tried = func() {
		must(t, w.forget())
		w.must(unverified("prod"), prod)
	}
	w.run()
	w.left(w.config, "has not said yet whose")
	w.token("prod", third)
}

// The same for a token that gave way, which is known from the store alone.
func TestFormerMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.replace(second)
	w.restart()
	w.write(w.config, written("me", first, prod))
	w.deciding = func() { must(t, w.unbind()) }
	w.run()
	w.left(w.config, "no credential is bound") // said by whoever looks first
	w.end()
	if text := read(w.config); !strings.Contains(text, first) {
		t.Errorf("%s", text)
	}
}
