package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestRemember(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, link, none := filepath.Join(dir, "file"), filepath.Join(dir, "link"), filepath.Join(dir, "none")
	if err := errors.Join(os.WriteFile(file, []byte("old"), 0o600), os.Symlink(os.DevNull, link)); err != nil {
		t.Skip(err) // Windows has links for some
	}
	putBack, err := remember(file, link, none)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, link, none} {
		if err := errors.Join(remove(path), os.WriteFile(path, []byte("new"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if err := putBack(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file)
	if to, err2 := os.Readlink(link); err != nil || err2 != nil || string(text) != "old" || to != os.DevNull {
		t.Errorf("%q, %v, link to %s, %v", text, err, to, err2)
	}
	if _, err := os.Lstat(none); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if _, err := remember(dir); err == nil {
		t.Error("a folder cannot be put back")
	}
}
