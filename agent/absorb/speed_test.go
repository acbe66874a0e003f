package absorb_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// Files whose locks stay keep no other one waiting, nor does an import.
func TestOthersLocked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run()
	w.eventually("watched", func() bool { return w.stateOf(w.config) == ipc.WatchMissing })
	var locked []string
	for i := range 5 {
		path := fmt.Sprint(w.config, i)
		locked = append(locked, path)
		must(t, os.WriteFile(path+".lock", nil, 0o600))
		w.managed(path)
		w.write(path, written("me", first, prod))
	}
	soon := func(path string, took time.Duration) {
		t.Helper()
		t.Logf("%v", took)
		if took > time.Second {
			t.Errorf("%s: %v", path, took)
		}
	}
	w.write(w.config, written("me", first, prod))
	soon(w.config, w.absorbed(w.config, "prod"))
	for _, path := range locked {
		w.left(path, "kubectl's lock")
	}
	files, err := w.state.Load()
	must(t, err)
	for _, f := range files {
		if f.Path != w.config && len(f.Users) > 0 {
			t.Errorf("noted: %+v", f)
		}
	}

	done, err := w.state.Turn()
	must(t, err)
	must(t, os.Remove(locked[0]+".lock"))
	w.left(locked[0], "another cwagent is rewriting")
	path := w.download("00000001", "x")
	w.write(path, written("me", third, dev))
	start := time.Now()
	w.left(path, "no credential")
	soon(path, time.Since(start))
	done()
	w.absorbed(locked[0], "prod")
}

// A change is acted on within a second: most of that is the wait for the end of a
// burst.
func TestSoon(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run()
	w.eventually("watched", func() bool { return w.stateOf(w.config) == ipc.WatchMissing })
	w.write(w.config, written("me", first, prod))
	w.absorbed(w.config, "prod")
	for _, tt := range []struct{ what, path, token string }{
		{"a token that is known", w.config, first},
		{"the next one", w.config, second},
		{"a download", w.download("3f9a1c7e", "prod"), third},
	} {
		w.write(tt.path, written("me", tt.token, prod))
		took := w.absorbed(tt.path, "prod")
		t.Logf("%s: %v", tt.what, took)
		if took > time.Second {
			t.Errorf("%s: %v", tt.what, took)
		}
	}
}

// One user that cannot be edited does not make many others late: which one that is
// takes one look at the file, not one for each user.
func TestSoonDespiteOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("other", third, dev)
	w.run()
	w.eventually("watched", func() bool { return w.stateOf(w.config) == ipc.WatchMissing })
	var text strings.Builder
	text.WriteString(written("me", first, prod))
	for i := range 1000 {
		fmt.Fprintf(&text, "- name: u%d\n  user:\n    token: %s\n", i, first)
	}
	text.WriteString("- name: folded\n  user:\n    token: >-\n      " + third + "\n")
	w.write(w.config, text.String())
	took := w.eventually("all but one absorbed", func() bool {
		return !strings.Contains(read(w.config), first) && strings.Contains(read(w.config), third)
	})
	t.Logf("%v", took)
	if took > patience/3 { // the race detector slows it; without that it takes a second
		t.Errorf("%v", took)
	}
}
