//go:build unix

package kubeconfig

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// The lock of a killed cwagent is not in the way for long; one that somebody
// holds, and one of kubectl's, are.
func TestLockStale(t *testing.T) {
	t.Parallel()
	path, text := place(t, 0o600)
	lock := path + ".lock"
	if err := os.WriteFile(lock, []byte(signature), 0o600); err != nil {
		t.Fatal(err)
	}
	held, err := os.OpenFile(lock, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if sign(held); removeStale(lock) {
		t.Error("a lock that is held was removed")
	}
	held.Close()
	if err := Rewrite(path, edited); err != nil {
		t.Error(err)
	}
	wantFiles(t, filepath.Dir(path), "config")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, theirs := range []string{"", signature + "x", signature[1:]} {
		if err := os.WriteFile(lock, []byte(theirs), 0o600); err != nil {
			t.Fatal(err)
		}
		if removeStale(lock) {
			t.Errorf("%q was taken for ours", theirs)
		}
	}
	if got := refusal(t, Rewrite(path, edited)); !strings.Contains(got, "stands in the way") {
		t.Error(got)
	}
}

// abandon makes a lock as a killed cwagent leaves it, if there is none. It is there
// with its words, all at once: into a lock that somebody has made and not yet signed
// nobody else writes them.
func abandon(t *testing.T, lock string) {
	left := filepath.Join(t.TempDir(), "left")
	if err := os.WriteFile(left, []byte(signature), 0o600); err != nil {
		t.Error(err)
	}
	if err := os.Link(left, lock); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
}

// However many find a stale lock at once: there is never more than one inside.
func TestLockTogether(t *testing.T) {
	t.Parallel()
	path, _ := place(t, 0o600)
	f := read(t, path)
	var inside sync.Mutex
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 10 {
				abandon(t, path+".lock")
				unlock, err := f.lock(path)
				if err != nil {
					t.Error(err)
					return
				}
				if !inside.TryLock() {
					t.Error("two are inside")
					return
				}
				if _, err := os.ReadFile(path); err != nil {
					t.Error(err)
				}
				inside.Unlock()
				unlock()
			}
		})
	}
	wait.Wait()
}
