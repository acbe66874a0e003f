package absorb_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent/rewritten"
	"github.com/cwagent/cwagent/ipc"
)

// returned is the token of prod, put back for these users.
func (w *world) returned(users ...string) (all []rewritten.Returned) {
	for _, user := range users {
		all = append(all, rewritten.Returned{User: user, Label: w.credential("prod").Label})
	}
	return all
}

// putBack puts text there as restore does, with the token of prod for these users.
func (w *world) putBack(text string, users ...string) {
	w.t.Helper()
	must(w.t, w.state.Begin(w.config, []byte(text), w.returned(users...)))
	w.write(w.config, text)
	now := time.Now()
	must(w.t, w.state.Finish(w.config, &now, func(*rewritten.File) {}))
}

// user is what is said of a user of the config.
func (w *world) user(name string) ipc.Watch {
	all := w.watcher.Watched()
	if i := slices.IndexFunc(all, func(x ipc.Watch) bool { return x.User == name }); i >= 0 {
		return all[i]
	}
	return ipc.Watch{}
}

// Of a file that was restored only the tokens that were put back are meant to be
// there, each for its user.
func TestRestoredUser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.replace(second)
	w.putBack(written("me", second, prod)+"- name: you\n  user: {token: "+first+"}\n", "me")
	w.run()
	w.eventually("one absorbed", func() bool { return w.user("you").State == ipc.WatchAbsorbed })
	if x := w.user("me"); x.State != ipc.WatchRestored || strings.Contains(read(w.config), first) || !strings.Contains(read(w.config), second) {
		t.Errorf("%+v\n%s", x, read(w.config))
	}
	// The next token is not the one that was put back. From then on the user is like
	// any other.
	text := read(w.config)
	w.write(w.config, strings.Replace(text, second, third, 1))
	w.absorbed(w.config, "prod")
	w.token("prod", third)
	w.write(w.config, text)
	w.absorbed(w.config, "prod")
}

// A token that was put back stays when its credential gets another one, also where
// it is to be known from the store alone, and when nobody knows it any more.
func TestRestoredStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.putBack(written("me", first, prod), "me")
	w.run()
	stays := func(when string) {
		t.Helper()
		marker := w.download("0000000"+when[:1], when)
		w.write(marker, written("token", third, dev))
		w.left(marker, "no credential")
		w.eventually(when, func() bool { return w.user("me").State == ipc.WatchRestored })
		if !strings.Contains(read(w.config), first) {
			t.Errorf("%s:\n%s", when, read(w.config))
		}
	}
	stays("1 current")
	w.replace(second)
	stays("2 gave way")
	w.restart()
	w.run()
	stays("3 in the store")
	w.add("other", second, prod)
	must(t, w.forget())
	stays("4 forgotten")
}
