package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// place makes a file in a folder of its own.
func place(t *testing.T) (string, fs.FileInfo) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, info
}

func TestWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := Write(path, []byte("one"), Options{Mode: 0o640}); err != nil {
		t.Fatal(err)
	}
	no := errors.New("no")
	if err := Write(path, []byte("two"), Options{Mode: 0o600, Before: func() error { return no }}); !errors.Is(err, no) {
		t.Errorf("Write = %v, want the error of Before", err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if b, _ := os.ReadFile(path); string(b) != "one" {
		t.Errorf("after a refused write the file holds %q", b)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("temporary files are left: %v", left)
	}
	if err := Write(filepath.Join(dir, "no", "file"), nil, Options{Mode: 0o600}); err == nil {
		t.Error("a missing folder was accepted")
	}
}

// Both ways to make a temporary file write the same, and refuse the same.
func TestWriteNamed(t *testing.T) {
	t.Parallel()
	path, info := place(t)
	for _, create := range []func(string) (*temporary, error){named, unnamed} {
		if err := write(path, []byte("new"), Options{Mode: 0o640, Like: info}, create); errors.Is(err, errNoName) {
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(path); string(b) != "new" {
			t.Errorf("%q, %v", b, err)
		}
		no := errors.New("no")
		if err := write(path, []byte("newer"), Options{Mode: 0o640, Before: func() error { return no }}, create); err != no {
			t.Error(err)
		}
		wantNames(t, filepath.Dir(path), "file")
	}
}

func wantNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}

// What a killed process has left goes with the next Write; what somebody is at
// work on, and what is not ours, stays.
func TestSweep(t *testing.T) {
	t.Parallel()
	path, _ := place(t)
	dir := filepath.Dir(path)
	busy, err := named(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer busy.discard()
	if _, err := busy.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-2 * young)
	for name, text := range map[string]string{".cwagent-dead": "CW-SECRET-1", ".cwagent-new": "", ".cwagent-old": "", "cwagent-x": "x", ".other": "x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(filepath.Join(dir, ".cwagent-old"), long, long); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, ".cwagent-z"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, []byte("new"), Options{Mode: 0o600}); err != nil {
		t.Fatal(err)
	}
	want := []string{".cwagent-new", ".cwagent-z", ".other", "cwagent-x", "file", filepath.Base(busy.Name())}
	slices.Sort(want)
	wantNames(t, dir, want...)
}
