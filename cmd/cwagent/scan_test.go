package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc/ipctest"
)

// scanned is a scan of a folder with the files named, each with a token in it; a
// name that ends in a slash is an empty folder's.
func scanned(t *testing.T, b bounds, prepare func(*scanner), names ...string) *scanner {
	t.Helper()
	root := t.TempDir()
	for _, name := range names {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(path, 0o700); err != nil {
				t.Fatal(err)
			}
		} else if err := os.WriteFile(path, []byte("users:\n- {name: a, user: {token: CW-SECRET-0}}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	s := (&cli{out: &out, err: &out, now: time.Now}).newScanner(b)
	if prepare != nil {
		prepare(s)
	}
	if err := s.walk(t.Context(), root); err != nil {
		t.Fatal(err)
	}
	return s
}

func numbered(n int, format string) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf(format, i))
	}
	return names
}

// Each bound ends the scan, whatever it meets there.
func TestScanBounds(t *testing.T) {
	t.Parallel()
	// A slow disk: the clock goes on by a second each time that it is looked at.
	slow := func(s *scanner) {
		now := time.Now()
		s.until = now.Add(s.bounds.time)
		s.now = func() time.Time { now = now.Add(time.Second); return now }
	}
	wide := scanBounds
	tests := []struct {
		name    string
		change  func(*bounds)
		prepare func(*scanner)
		files   []string
		stopped string
		found   int
	}{
		{"nothing", func(*bounds) {}, nil, numbered(9, "f%d"), "", 9},
		{"time, files", func(b *bounds) { b.time = 5 * time.Second }, slow, numbered(9, "f%d"), "5s", 4},
		{"time, folders", func(b *bounds) { b.time = 5 * time.Second }, slow, append(numbered(9, "d%d/"), "f"), "5s", 0},
		{"entries, files", func(b *bounds) { b.entries = 5 }, nil, numbered(9, "f%d"), "5 files and folders", 4},
		{"entries, folders", func(b *bounds) { b.entries = 5 }, nil, append(numbered(9, "d%d/"), "f"), "5 files and folders", 0},
		{"bytes", func(b *bounds) { b.bytes = 100 }, nil, numbered(9, "f%d"), "0 GiB", 3},
		{"depth", func(b *bounds) { b.depth = 2 }, nil, []string{"f", "a/b/f", "a/b/c/f", "z/f"}, "2 folders in each other", 3},
	}
	for _, tt := range tests {
		b := wide
		tt.change(&b)
		s := scanned(t, b, tt.prepare, tt.files...)
		if s.Stopped != tt.stopped || len(s.Found) != tt.found {
			t.Errorf("%s: %q, %d found of %d looked at, want %q, %d", tt.name, s.Stopped, len(s.Found), s.Files, tt.stopped, tt.found)
		}
	}
}

// Neither a folder nor a link leads to another file system.
func TestScanOneFileSystem(t *testing.T) {
	t.Parallel()
	root, outside := t.TempDir(), t.TempDir()
	for link, dir := range map[string]string{"link": "away", "own": "near"} {
		if err := os.Mkdir(filepath.Join(outside, dir), 0o700); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(outside, dir, "file")
		if err := os.WriteFile(path, []byte("users:\n- {name: a, user: {token: CW-SECRET-1}}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(root, link)); err != nil {
			ipctest.Skip(t, err.Error())
		}
	}
	s := (&cli{now: time.Now, err: &bytes.Buffer{}}).newScanner(scanBounds)
	s.device = func(info fs.FileInfo) (uint64, bool) {
		switch {
		case info.Name() == "mounted", info.Name() == "away":
			return 2, true
		case !info.IsDir(): // as on an overlay
			return 3, true
		}
		return 1, true
	}
	for _, dir := range []string{"mounted", "folder"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, dir, "config"), []byte("users:\n- {name: a, user: {token: CW-SECRET-2}}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.walk(t.Context(), root); err != nil {
		t.Fatal(err)
	}
	if len(s.Found) != 2 || s.Found[0].File != filepath.Join(root, "folder", "config") || s.Found[1].File != filepath.Join(root, "own") {
		t.Errorf("found %+v", s.Found)
	}
	if len(s.Skipped) != 2 || s.Skipped[0] != filepath.Join(root, "link") || s.Skipped[1] != filepath.Join(root, "mounted") {
		t.Errorf("skipped %q", s.Skipped)
	}
}
