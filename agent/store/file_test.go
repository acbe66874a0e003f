package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

const filePassphrase = "correct horse battery"

// makeFile makes a file store that a passphrase opens, quickly, and returns its state
// folder.
func makeFile(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "state")
	if asks, err := InitFile(FileInit{State: dir, Ask: says(filePassphrase), work: 4}); err != nil || !asks {
		t.Fatal(asks, err)
	}
	return dir
}

func says(passphrase string) func() (ipc.Secret, error) {
	return func() (ipc.Secret, error) { return ipc.NewSecret(passphrase), nil }
}

func fileIn(state string) *File {
	return NewFile(FileConfig{Dir: FileFolder(state), Wait: 20 * time.Second})
}

// openFile returns a store that is open.
func openFile(t testing.TB) (*File, string) {
	t.Helper()
	state := makeFile(t)
	s := fileIn(state)
	if err := s.Unlock(t.Context(), ipc.NewSecret(filePassphrase)); err != nil {
		t.Fatal(err)
	}
	return s, state
}

// wantFileAnswer checks that all that a file store can be asked gets this answer, with
// these words, and that nothing in its folder changes.
func wantFileAnswer(t *testing.T, s *File, want error, words string) {
	t.Helper()
	_, get := s.Get(t.Context(), "prod.00000001")
	for _, err := range []error{get, s.Put(t.Context(), "prod.00000002", ipc.NewSecret("two")), s.Delete(t.Context(), "prod.00000001"), s.Look(t.Context())} {
		wantFileErr(t, err, want, words)
	}
}

// wantFileErr wants an error that is one of the four answers and none of the others, or
// none of them at all.
func wantFileErr(t *testing.T, err, want error, words string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), words) {
		t.Errorf("%v; want the words %q", err, words)
	}
	for _, e := range []error{agent.ErrNotFound, agent.ErrLocked, agent.ErrRefused, agent.ErrAbsent} {
		if errors.Is(err, e) != (e == want) {
			t.Errorf("%v; want %v", err, want)
		}
	}
}

func TestFileConforms(t *testing.T) {
	t.Parallel()
	conform(t, func(t *testing.T) agent.Store { s, _ := openFile(t); return s })
}

func TestFileLocked(t *testing.T) {
	t.Parallel()
	s, state := openFile(t)
	put(t, s, "prod.00000001", "one")
	other := fileIn(state) // after a new start
	wantFileAnswer(t, other, agent.ErrLocked, "cwagent unlock asks for its passphrase")
	for _, wrong := range []string{"wrong", "", filePassphrase + " "} {
		wantFileErr(t, other.Unlock(t.Context(), ipc.NewSecret(wrong)), agent.ErrRefused, "the passphrase is wrong")
		wantFileErr(t, s.Unlock(t.Context(), ipc.NewSecret(wrong)), agent.ErrRefused, "the passphrase is wrong")
	}
	wantFileAnswer(t, other, agent.ErrLocked, "")
	wantSecret(t, s, "prod.00000001", "one")
	for range 2 {
		if err := other.Unlock(t.Context(), ipc.NewSecret(filePassphrase)); err != nil {
			t.Fatal(err)
		}
		wantSecret(t, other, "prod.00000001", "one")
	}
	other.Lock()
	wantFileAnswer(t, other, agent.ErrLocked, "")
	wantSecret(t, s, "prod.00000001", "one")
}

// Nobody waits for a passphrase longer than they want, and what they gave up has no
// effect.
func TestFileUnlockGivenUp(t *testing.T) {
	t.Parallel()
	s := fileIn(makeFile(t))
	s.opening <- struct{}{} // another one is at work
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := s.Unlock(ctx, ipc.NewSecret(filePassphrase)); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	<-s.opening
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.files.unlock(over, ipc.NewSecret(filePassphrase)); err != nil {
		t.Error(err)
	}
	wantFileAnswer(t, s, agent.ErrLocked, "")
}

func TestFileAbsent(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state")
	s := fileIn(state)
	wantFileAnswer(t, s, agent.ErrAbsent, "cwagent store init file makes one")
	wantFileErr(t, s.Unlock(t.Context(), ipc.NewSecret(filePassphrase)), agent.ErrAbsent, "")
	if _, err := os.Stat(state); err == nil {
		t.Error("it made a folder")
	}

	// What is open is not there any more when its folder has gone, and is when it is back.
	s, state = openFile(t)
	put(t, s, "prod.00000001", "one")
	for range 2 {
		rename(t, state, state+"-away")
		wantFileAnswer(t, s, agent.ErrAbsent, "")
		rename(t, state+"-away", state)
		wantSecret(t, s, "prod.00000001", "one")
	}

	// Another store in its place is not it.
	rename(t, state, state+"-away")
	if _, err := InitFile(FileInit{State: state, Ask: says("another passphrase"), work: 4}); err != nil {
		t.Fatal(err)
	}
	wantFileAnswer(t, s, agent.ErrLocked, "")
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A folder that others could put files into, or that is another one, is not used.
func TestFileOnlyOurs(t *testing.T) {
	t.Parallel()
	s, state := openFile(t)
	put(t, s, "prod.00000001", "one")
	dir := FileFolder(state)
	for _, d := range []string{dir, state} {
		chmod(t, d, 0o770)
		wantFileAnswer(t, s, agent.ErrAbsent, "other users may write to it (mode 770)")
		chmod(t, d, 0o700)
	}
	rename(t, dir, dir+"-away")
	if err := os.Symlink(dir+"-away", dir); err != nil {
		t.Fatal(err)
	}
	wantFileAnswer(t, s, agent.ErrAbsent, "it is a symbolic link")
	if _, err := InitFile(FileInit{State: state, Ask: says(filePassphrase)}); err == nil {
		t.Error("it was made behind a link")
	}
	for _, p := range []string{dir + "-away", dir + "-away/store.json", filepath.Join(dir+"-away", filepath.Base(s.files.path("prod.00000001")))} {
		if info, err := os.Stat(p); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", p, info.Mode(), err)
		}
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// Nothing of a token, and no name of one, is in the folder in clear.
func TestFileEncrypts(t *testing.T) {
	t.Parallel()
	s, state := openFile(t)
	put(t, s, "prod.00000001", "CW-SECRET-one")
	all, err := filepath.Glob(filepath.Join(FileFolder(state), "*"))
	if err != nil || len(all) != 3 { // with the lock of the making
		t.Errorf("%q, %v", all, err)
	}
	for _, p := range all {
		for _, clear := range []string{"CW-SECRET", "prod", filePassphrase, s.files.master.Reveal()} {
			if strings.Contains(p, clear) || strings.Contains(readFile(t, p), clear) {
				t.Errorf("%q in %s", clear, p)
			}
		}
	}
}

// Two machines with one folder see what the other one does at once.
func TestFileShared(t *testing.T) {
	t.Parallel()
	one, state := openFile(t)
	two := fileIn(state)
	if err := two.Unlock(t.Context(), ipc.NewSecret(filePassphrase)); err != nil {
		t.Fatal(err)
	}
	var both sync.WaitGroup
	for i, s := range []*File{one, two} {
		both.Go(func() {
			for n := range 50 {
				put(t, s, "prod.00000001", fmt.Sprintf("%d-%d", i, n))
				got, err := s.Get(t.Context(), "prod.00000001")
				if err != nil || got.Empty() {
					t.Error(err)
				}
			}
		})
	}
	both.Wait()
	put(t, one, "prod.00000001", "last")
	wantSecret(t, two, "prod.00000001", "last")
	remove(t, two, "prod.00000001")
	wantAbsent(t, one, "prod.00000001")
}

func TestFile500(t *testing.T) {
	t.Parallel()
	s, _ := openFile(t)
	began := time.Now()
	for i := range 500 {
		put(t, s, fmt.Sprintf("prod.%08x", i), fmt.Sprintf("CW-SECRET-%d", i))
	}
	written := time.Now()
	for i := range 500 {
		wantSecret(t, s, fmt.Sprintf("prod.%08x", i), fmt.Sprintf("CW-SECRET-%d", i))
	}
	t.Logf("put: %v each; get: %v each", written.Sub(began)/500, time.Since(written)/500)
}

func BenchmarkFile(b *testing.B) {
	s, _ := openFile(b)
	for _, n := range []int{100, 60_000, ipc.MaxPart} {
		secret := ipc.NewSecret(strings.Repeat("x", n))
		b.Run(fmt.Sprintf("put-%d", n), func(b *testing.B) {
			for b.Loop() {
				if err := s.Put(b.Context(), "prod.00000001", secret); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("get-%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := s.Get(b.Context(), "prod.00000001"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
