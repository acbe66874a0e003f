package absorb_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

const classic = "0f1e2d3c4b5a69788796a5b4c3d2e1f0" // of another make

// Of the tokens that are not CoreWeave's those come back that the agent has, also
// where it gets to know that late; the rest are nobody's business.
func TestClassic(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.oracle.set(classic, alive("", ""))
	w.add("old", classic, dev)
	w.disk.fails(agent.ErrLocked)
	w.restart()
	text := written("me", classic, dev) + "- name: you\n  user:\n    token: none-of-ours\n"
	w.write(w.config, text)
	w.run()
	w.eventually("quiet", func() bool { return w.stateOf(w.config) == ipc.WatchQuiet })
	if read(w.config) != text {
		t.Errorf("%s", read(w.config))
	}
	w.disk.fails(nil)
	w.absorbed(w.config, "old")
	if now := read(w.config); strings.Contains(now, classic) || !strings.Contains(now, "token: none-of-ours\n") {
		t.Errorf("%s", now)
	}
	if n := w.oracle.count("none-of-ours"); n != 0 {
		t.Errorf("asked %d times", n)
	}
}

// A web page may put a file among the downloads: it does not get to be read as
// YAML before a person has agreed, nor if it is larger than any of the Console's.
func TestUnasked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, os.Remove(filepath.Join(w.state.Dir, "consent.json")))
	none, broken, large := w.download("00000001", "none"), w.download("00000002", "broken"), w.download("00000003", "large")
	w.write(none, "users: [")
	w.write(broken, "users: [ # "+first)
	w.write(large, written("me", first, prod)+"x: ["+strings.Repeat("1,", 1<<19)+"1]\n")
	w.write(w.config, written("me", first, prod)+strings.Repeat("#"+strings.Repeat(" ", 1<<10)+"\n", 8<<10))
	w.run()
	w.left(broken, "nobody has agreed yet")
	for path, why := range map[string]string{w.config: "it is larger than 8 MiB", large: "it is larger than 1 MiB"} {
		w.eventually(why, func() bool { return w.stateOf(path) == ipc.WatchUnreadable })
		if x, _ := w.watch(path); x.Why != why || !strings.Contains(x.Hint, "cwagent import ") {
			t.Errorf("%+v", x)
		}
	}
	if s := w.stateOf(none); s != ipc.WatchQuiet {
		t.Error(s)
	}
	w.agrees(true)
	w.eventually("read", func() bool { return w.stateOf(broken) == ipc.WatchUnreadable })
}
