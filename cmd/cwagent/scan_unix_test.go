//go:build unix

package main

import (
	"path/filepath"
	"syscall"
	"testing"
)

// What has become a pipe after it was looked at is not waited for.
func TestScanPipe(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), ".env")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	s := newScan()
	if text, _, err := s.read(path, ""); len(text) > 0 || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	s.look(path)
	if s.Files != 0 {
		t.Error("it was opened")
	}
}
