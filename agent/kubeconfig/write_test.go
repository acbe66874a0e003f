package kubeconfig

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cwagent/cwagent/ipc/ipctest"
)

// place puts a kubeconfig with a token into a folder of its own.
func place(t *testing.T, mode fs.FileMode) (path, text string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "config")
	text = kubeconfig("- name: token\n  user: {token: T!}")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path, text
}

// wantFiles wants the folder to hold those files and nothing else: no temporary
// one that a failure left behind.
func wantFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s holds %q, want %q", dir, got, want)
	}
}

func wantText(t *testing.T, path, want string) {
	t.Helper()
	if b, err := os.ReadFile(path); err != nil || string(b) != want {
		t.Errorf("%s: %q, %v", path, b, err)
	}
}

func TestWriteKeepsMode(t *testing.T) {
	t.Parallel()
	for _, mode := range []fs.FileMode{0o600, 0o640, 0o644, 0o664, 0o755, 0o200 | 0o400} {
		path, _ := place(t, mode)
		if err := read(t, path).Write([]byte("new\n")); err != nil {
			t.Fatal(err)
		}
		info, err := os.Lstat(path)
		if err != nil || info.Mode() != mode {
			t.Errorf("mode %v, %v; want %v", info.Mode(), err, mode)
		}
		wantText(t, path, "new\n")
		wantFiles(t, filepath.Dir(path), "config")
	}
}

// A kubeconfig is often a link into a repository of dotfiles.
func TestWriteKeepsSymlink(t *testing.T) {
	t.Parallel()
	target, _ := place(t, 0o600)
	dir := t.TempDir()
	middle, link := filepath.Join(filepath.Dir(target), "middle"), filepath.Join(dir, "config")
	for from, to := range map[string]string{middle: "config", link: middle} {
		if err := os.Symlink(to, from); err != nil {
			ipctest.Skip(t, "no symbolic links here: "+err.Error())
		}
	}
	if err := read(t, link).Write([]byte("new\n")); err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{middle: "config", link: middle} {
		if got, err := os.Readlink(from); err != nil || got != to {
			t.Errorf("%s leads to %q, %v", from, got, err)
		}
	}
	if info, err := os.Lstat(target); err != nil || !info.Mode().IsRegular() {
		t.Errorf("target: %v, %v", info, err)
	}
	wantText(t, target, "new\n")
	wantFiles(t, dir, "config")
	wantFiles(t, filepath.Dir(target), "config", "middle")
}

// Whatever happens to the file between Read and Write: nothing of somebody
// else's work is lost, and nothing is left behind.
func TestWriteRefuses(t *testing.T) {
	t.Parallel()
	do := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name   string
		happen func(path, text string)
		want   string
		left   func(text string) string // in the file; nil: there is none
	}{
		{"a line more", func(p, text string) { do(os.WriteFile(p, []byte(text+"# mine\n"), 0o600)) },
			"has changed while", func(text string) string { return text + "# mine\n" }},
		{"same length", func(p, text string) { do(os.WriteFile(p, []byte(strings.Replace(text, "c", "d", 1)), 0o600)) },
			"has changed while", func(text string) string { return strings.Replace(text, "c", "d", 1) }},
		{"emptied", func(p, _ string) { do(os.Truncate(p, 0)) }, "has changed while", func(string) string { return "" }},
		{"another in its place", func(p, _ string) { do(os.WriteFile(p+"2", []byte("x"), 0o600)); do(os.Rename(p+"2", p)) },
			"has changed while", func(string) string { return "x" }},
		{"removed", func(p, _ string) { do(os.Remove(p)) }, "no such file", nil},
		{"a folder in its place", func(p, _ string) { do(os.Remove(p)); do(os.Mkdir(p, 0o700)) }, "write: ", nil},
	}
	for _, tt := range tests {
		path, text := place(t, 0o600)
		f := read(t, path)
		do(f.Writable())
		tt.happen(path, text)
		got := refusal(t, f.Write([]byte("new\n")))
		if !strings.Contains(got, tt.want) {
			t.Errorf("%s: %s", tt.name, got)
		}
		if tt.left != nil {
			wantText(t, path, tt.left(text))
		}
		if tt.name == "removed" {
			wantFiles(t, filepath.Dir(path))
		} else {
			wantFiles(t, filepath.Dir(path), "config")
		}
	}
}

func TestWriteReadOnly(t *testing.T) {
	t.Parallel()
	path, text := place(t, 0o400)
	f := read(t, path)
	for _, err := range []error{f.Writable(), f.Write([]byte("new\n"))} {
		if got := refusal(t, err); !strings.Contains(got, "read-only") || !strings.Contains(got, "chmod u+w") {
			t.Error(got)
		}
	}
	wantText(t, path, text)
	wantFiles(t, filepath.Dir(path), "config")
}

func TestWriteFolderGone(t *testing.T) {
	t.Parallel()
	path, _ := place(t, 0o600)
	f := read(t, path)
	if err := os.RemoveAll(filepath.Dir(path)); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{f.Writable(), f.Write([]byte("new\n"))} {
		if got := refusal(t, err); !strings.Contains(got, "no such file") {
			t.Error(got)
		}
	}
	if _, err := os.Stat(filepath.Dir(path)); err == nil {
		t.Error("the folder was made again")
	}
}

// What is no kubeconfig by its nature is told so, and not read.
func TestReadOtherFiles(t *testing.T) {
	t.Parallel()
	path, _ := place(t, 0o600)
	dir := filepath.Dir(path)
	huge := filepath.Join(dir, "huge")
	if err := os.WriteFile(huge, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(huge, MaxSize+1); err != nil { // a hole: it takes no room
		t.Fatal(err)
	}
	for p, want := range map[string]string{
		filepath.Join(dir, "none"): "no such file",
		"":                         "no such file",
		filepath.Join(path, "x"):   "not a directory",
		dir:                        "it is a folder",
		huge:                       "larger than 64 MiB",
	} {
		_, err := Read(p)
		if got := refusal(t, err); !strings.Contains(got, p+": ") || !strings.Contains(got, want) {
			t.Errorf("%q: %s", p, got)
		}
	}
}
