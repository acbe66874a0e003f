package rewritten

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/ipctest"
)

func TestMain(m *testing.M) {
	ipctest.Main(m, map[string]func([]string) int{"add": add})
}

// add notes files in a folder: DIR NAME COUNT.
func add(args []string) int {
	n := 0
	if _, err := fmt.Sscan(args[2], &n); err != nil {
		return 2
	}
	for i := range n {
		if err := note(Folder{args[0]}, fmt.Sprintf("/%s/%d", args[1], i)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return 0
}

func note(f Folder, path string) error {
	return f.Update(func(files []File) ([]File, error) { return append(files, File{Path: path}), nil })
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	f := Folder{filepath.Join(t.TempDir(), "a", "state")}
	if files, err := f.Load(); err != nil || len(files) != 0 {
		t.Fatalf("Load of nothing = %v, %v", files, err)
	}
	want := []File{{
		Path: "/home/me/.kube/config", SHA256: Sum([]byte("x")), At: time.Date(2026, 11, 25, 1, 2, 3, 0, time.UTC),
		Users: []kubeconfig.Undo{{
			Credential: "prod", Label: "#1", User: "cw-prod", Was: "token",
			Token: kubeconfig.Place{Key: "token: ", Exec: "exec:", Block: "\n  x", Quote: `"`, Bare: true,
				Escapes: []kubeconfig.Escape{{At: 1, Kind: "x"}}},
			Name:       kubeconfig.Swap{Old: "token", New: "cw-prod"},
			References: []kubeconfig.Reference{{Context: "c", Swap: kubeconfig.Swap{Old: "'token'", New: "'cw-prod'"}}},
		}},
	}}
	if err := f.Update(func([]File) ([]File, error) { return want, nil }); err != nil {
		t.Fatal(err)
	}
	got, err := f.Load()
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Load = %+v, %v\nwant %+v", got, err, want)
	}
	for path, mode := range map[string]os.FileMode{f.Dir: 0o700, f.file().Path(): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: mode %v, %v, want %v", path, info.Mode().Perm(), err, mode)
		}
	}
	no := errors.New("no")
	if err := f.Update(func([]File) ([]File, error) { return nil, no }); err != no {
		t.Errorf("Update = %v, want the error as it is", err)
	}
	if got, _ := f.Load(); !reflect.DeepEqual(got, want) {
		t.Errorf("after a refused change: %+v", got)
	}
}

// The samples of all forms are read, and come back in the form that is written now
// with all that is in them.
func TestSample(t *testing.T) {
	t.Parallel()
	for v := 1; v <= version; v++ {
		sample, err := os.ReadFile(fmt.Sprintf("testdata/v%d.json", v))
		if err != nil {
			t.Fatal(err)
		}
		f := Folder{t.TempDir()}
		if err := os.WriteFile(f.file().Path(), sample, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := f.Update(func(files []File) ([]File, error) { return files, nil }); err != nil {
			t.Fatal(err)
		}
		want := strings.Replace(string(sample), fmt.Sprintf(`"version": %d`, v), fmt.Sprintf(`"version": %d`, version), 1)
		if got, _ := os.ReadFile(f.file().Path()); string(got) != want {
			t.Errorf("form %d came back as\n%s", v, got)
		}
	}
}

// What cannot be read is refused and left as it is.
func TestRefuses(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"version": 4, "files": {"a": 1}}`: "written by a newer cwagent (form 4",
		`{"version": 1, "files": {"a": 1}}`: "cannot be read",
		`{"files": []}`:                     "cannot be read",
		``:                                  "cannot be read",
	} {
		f := Folder{t.TempDir()}
		if err := os.WriteFile(f.file().Path(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, loadErr := f.Load()
		for _, err := range []error{loadErr, note(f, "/x")} {
			var e *ipc.Error
			if !errors.As(err, &e) || !strings.Contains(e.Text(), want) || e.Hint == "" {
				t.Errorf("%s: %v", text, err)
			}
		}
		if got, _ := os.ReadFile(f.file().Path()); string(got) != text {
			t.Errorf("%s became %s", text, got)
		}
	}
}

// Processes and goroutines that note files at the same time lose nothing.
func TestTogether(t *testing.T) {
	t.Parallel()
	f := Folder{t.TempDir()}
	const each = 20
	var wait sync.WaitGroup
	for i := range 3 {
		wait.Go(func() {
			if err := ipctest.Child(t, "add", f.Dir, fmt.Sprint("p", i), fmt.Sprint(each)).Run(); err != nil {
				t.Error(err)
			}
		})
		wait.Go(func() {
			for k := range each {
				if err := note(f, fmt.Sprintf("/g%d/%d", i, k)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wait.Wait()
	files, err := f.Load()
	seen := map[string]bool{}
	for _, file := range files {
		seen[file.Path] = true
	}
	if err != nil || len(seen) != 6*each {
		t.Errorf("%d of %d, %v", len(seen), 6*each, err)
	}
}

// Nothing in the file's form can hold a secret: it has no such type, and none
// that would hide one.
func TestNoSecret(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(File{Users: []kubeconfig.Undo{{}}})
	if err != nil || strings.Contains(string(b), "secret") {
		t.Errorf("%s, %v", b, err)
	}
}
