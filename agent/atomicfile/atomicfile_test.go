package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

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
