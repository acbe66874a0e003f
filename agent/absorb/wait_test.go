package absorb_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/ipc"
)

// write puts a file there as editors and browsers do: under another name first.
func (w *world) write(path, text string) {
	w.t.Helper()
	tmp := path + ".part"
	if err := os.WriteFile(tmp, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	if err := os.Rename(tmp, path); err != nil {
		w.t.Fatal(err)
	}
}

// download is the path of a download of that public id.
func (w *world) download(id, rest string) string {
	return filepath.Join(w.home, "Downloads", "CWKubeconfig_cwtoken-"+id+"-"+rest)
}

// eventually wants ok to become true. It looks often, because what it waits for
// is written by another goroutine that tells nobody.
func (w *world) eventually(what string, ok func() bool) time.Duration {
	w.t.Helper()
	start := time.Now()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Since(start) > patience {
			w.t.Fatalf("%s: not within %v\nwatched: %+v\nlog:\n%s", what, patience, w.watcher.Watched(), w.log)
		}
		<-tick.C
	}
	return time.Since(start)
}

func read(path string) string {
	b, _ := os.ReadFile(path)
	return string(b)
}

// absorbed wants the file to lose its token for a reference to the credential.
func (w *world) absorbed(path, credential string) time.Duration {
	w.t.Helper()
	took := w.eventually(path+" absorbed", func() bool {
		return !strings.Contains(read(path), "CW-SECRET") && strings.Contains(read(path), plugin) && w.stateOf(path) == ipc.WatchAbsorbed
	})
	f, err := kubeconfig.Read(path)
	if err != nil || len(f.Ours) == 0 || f.Ours[len(f.Ours)-1] != credential {
		w.t.Fatalf("%s: %v, refers to %v, want %s", path, err, f.Ours, credential)
	}
	return took
}

// left wants the token to stay in the file, and that reason to be said.
func (w *world) left(path, why string) ipc.Watch {
	w.t.Helper()
	var x ipc.Watch
	w.eventually(path+" left: "+why, func() bool {
		var ok bool
		x, ok = w.watch(path)
		return ok && (x.State == ipc.WatchFound || x.State == ipc.WatchWaiting || x.State == ipc.WatchRestored) && strings.Contains(x.Why, why)
	})
	if text := read(path); !strings.Contains(text, "CW-SECRET") {
		w.t.Errorf("%s has lost its token:\n%s", path, text)
	}
	return x
}

func (w *world) watch(path string) (ipc.Watch, bool) {
	for _, x := range w.watcher.Watched() {
		if x.Path == path {
			return x, true
		}
	}
	return ipc.Watch{}, false
}

func (w *world) stateOf(path string) ipc.WatchState {
	x, _ := w.watch(path)
	return x.State
}

// token wants a credential to have that token.
func (w *world) token(name, want string) {
	w.t.Helper()
	got, err := w.Token(w.t.Context(), ipc.TokenRequest{Name: name})
	if err != nil || got.Reveal() != want {
		w.t.Fatalf("token of %s: %q, %v, want %q", name, got.Reveal(), err, want)
	}
}

func (w *world) credential(name string) ipc.Credential {
	w.t.Helper()
	s, err := w.Status(w.t.Context(), ipc.StatusRequest{Name: name})
	if err != nil {
		w.t.Fatal(err)
	}
	return s.Credentials[0]
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
