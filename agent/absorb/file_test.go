package absorb_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/agent/rewritten"
	"github.com/cwagent/cwagent/ipc"
)

// managed notes a file as import does.
func (w *world) managed(path string) {
	w.t.Helper()
	_, err := w.state.Note(&kubeconfig.File{Path: path}, nil, time.Now(), nil)
	must(w.t, err)
}

// A file that import has rewritten is looked after wherever it lies, and from the
// moment on in which it was.
func TestRewritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run()
	path := filepath.Join(w.home, "elsewhere", "config")
	must(t, os.Mkdir(filepath.Dir(path), 0o700))
	w.write(path, written("me", first, prod))
	w.managed(path)
	w.absorbed(path, "prod")
	w.write(path, written("me", second, prod))
	w.absorbed(path, "prod")
	w.token("prod", second)
}

// Nobody waits for a file that only a note speaks for, and that was deleted; if it is
// back, it is looked after.
func TestDeleted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := filepath.Join(w.home, "once")
	w.write(path, written("me", first, prod))
	w.managed(path)
	w.run()
	w.absorbed(path, "prod")
	must(t, os.Remove(path))
	w.eventually("deleted", func() bool {
		x, _ := w.watch(path)
		return x.State == ipc.WatchQuiet && strings.Contains(x.Why, "it was deleted")
	})
	w.write(path, written("me", first, prod))
	w.absorbed(path, "prod")
	if x, _ := w.watch(w.config); x.State != ipc.WatchMissing {
		t.Errorf("%+v", x)
	}
}

// Two names of one file are one file, and a link stays one.
func TestLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	real := filepath.Join(w.home, "dotfiles", "kube")
	must(t, os.Mkdir(filepath.Dir(real), 0o700))
	must(t, os.Symlink(real, w.config))
	w.write(real, written("me", first, prod))
	w.managed(real)
	w.run()
	w.absorbed(w.config, "prod")
	w.write(real, written("me", first, prod)) // no event where the link lies
	w.absorbed(w.config, "prod")
	if info, err := os.Lstat(w.config); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("%v, %v", info, err)
	}
	if _, twice := w.watch(real); twice {
		t.Errorf("%+v", w.watcher.Watched())
	}
}

// While somebody else has the turn, nothing is written; a token that a person put
// back stays.
func TestTurn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	done, err := w.state.Turn()
	must(t, err)
	w.run()
	w.write(w.config, written("me", first, prod))
	marker := filepath.Join(w.home, "Downloads", "CWKubeconfig_cwtoken-00000001-x")
	w.write(marker, written("me", third, dev))
	w.left(w.config, "another cwagent is rewriting")
	done()
	w.absorbed(w.config, "prod")

	now := time.Now()
	must(t, w.state.Update(func([]rewritten.File) ([]rewritten.File, error) {
		return []rewritten.File{{Path: w.config, At: now, Restored: &now}}, nil
	}))
	w.write(w.config, written("me", first, prod))
	w.left(w.config, "it was restored")
	w.managed(w.config) // imported anew
	w.absorbed(w.config, "prod")
}

// A restore that was killed before it wrote the file does not keep a token in it
// that comes back.
func TestRestoreKilled(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, w.state.Begin(w.config, []byte("what it would have written"), w.returned("me")))
	w.run()
	w.write(w.config, written("me", first, prod))
	w.absorbed(w.config, "prod")
	// It was killed after.
	text := written("me", first, prod)
	must(t, w.state.Begin(w.config, []byte(text), w.returned("me")))
	w.write(w.config, text)
	w.left(w.config, "it was restored")
	w.write(w.config, "# edited\n"+text)
	w.left(w.config, "it was restored")
}

// A user that cannot be edited keeps no other from being.
func TestOneOfTwo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.replace(second)
	w.run()
	w.write(w.config, written("me", first, prod)+"- name: you\n  user: &you\n    token: "+second+"\n")
	w.eventually("one of two absorbed", func() bool {
		text := read(w.config)
		return !strings.Contains(text, first) && strings.Contains(text, second) && w.stateOf(w.config) == ipc.WatchAbsorbed
	})
	for _, x := range w.watcher.Watched() {
		if x.User == "you" && (x.State != ipc.WatchFound || !strings.Contains(x.Why, "anchor") || x.Hint == "") {
			t.Errorf("%+v", x)
		}
	}
}

// A context of another file may mean the user, so that it keeps its name.
func TestMeantElsewhere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	other := filepath.Join(w.home, "other")
	w.write(other, "apiVersion: v1\nkind: Config\ncontexts:\n- name: x\n  context: {cluster: k0, user: token}\n")
	w.managed(other)
	w.run()
	w.write(w.config, written("token", first, prod))
	w.absorbed(w.config, "prod")
	if text := read(w.config); !strings.Contains(text, "- name: token\n") {
		t.Errorf("%s", text)
	}
}

// What is no kubeconfig, or none yet, is said and does no harm.
func TestBroken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(w.config, "apiVersion: v1\nkind: Config\nusers:\n- {name: a")
	w.run()
	w.eventually("unreadable", func() bool { return w.stateOf(w.config) == ipc.WatchUnreadable })
	w.write(w.config, written("me", first, prod))
	w.absorbed(w.config, "prod")
	w.write(w.config, "apiVersion: v1\nkind: Config\n")
	w.eventually("quiet", func() bool {
		x, _ := w.watch(w.config)
		return x.State == ipc.WatchAbsorbed || x.State == ipc.WatchQuiet
	})
	must(t, os.Remove(w.config))
	w.eventually("missing", func() bool { return w.stateOf(w.config) == ipc.WatchMissing })
}
