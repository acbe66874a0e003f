package state_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent/state"
	"github.com/cwagent/cwagent/ipc"
)

// form is what the tests keep.
type form struct {
	Version int `json:"version"`
	N       int `json:"n"`
}

func file(t *testing.T) state.File {
	return state.File{Dir: filepath.Join(t.TempDir(), "state", "cwagent"), Name: "numbers.json", Version: 2, Lost: "the numbers are lost"}
}

// problem wants an error of that text, with a hint.
func problem(t *testing.T, err error, what, hint string) {
	t.Helper()
	var e *ipc.Error
	if !errors.As(err, &e) || e.Code != ipc.CodeInvalid || !strings.Contains(e.What, what) || !strings.Contains(e.Hint, hint) {
		t.Errorf("%#v; want %q, hint %q", err, what, hint)
	}
}

func TestSaveAndLoad(t *testing.T) {
	t.Parallel()
	f := file(t)
	got := form{N: 7}
	if err := f.Load(&got); err != nil || got.N != 7 {
		t.Errorf("nothing there: %v, %+v", err, got)
	}
	if err := f.Save(form{2, 3}); err != nil {
		t.Fatal(err)
	}
	if err := f.Load(&got); err != nil || got != (form{2, 3}) {
		t.Errorf("%v, %+v", err, got)
	}
	for path, mode := range map[string]os.FileMode{f.Path(): 0o600, f.Dir: 0o700} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

// An older form is read; a newer one is refused and stays; what is no form at all
// is refused with what is lost.
func TestForms(t *testing.T) {
	t.Parallel()
	f := file(t)
	if err := f.Save(form{1, 5}); err != nil {
		t.Fatal(err)
	}
	var got form
	if err := f.Load(&got); err != nil || got != (form{1, 5}) {
		t.Errorf("%v, %+v", err, got)
	}
	for text, want := range map[string]struct{ what, hint string }{
		`{"version": 3, "n": {}}`: {"it was written by a newer cwagent (form 3, this one knows 2)", "the file was not touched"},
		`{"version": 2, "n": {}}`: {"it cannot be read", "the numbers are lost"},
		`{"n": 1}`:                {"it cannot be read", "the numbers are lost"},
		``:                        {"it cannot be read", "the numbers are lost"},
	} {
		if err := os.WriteFile(f.Path(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		problem(t, f.Load(&got), want.what, want.hint)
		if b, _ := os.ReadFile(f.Path()); string(b) != text {
			t.Errorf("%q became %q", text, b)
		}
	}
}

// A folder in which others may write is not trusted.
func TestPrivate(t *testing.T) {
	t.Parallel()
	f := file(t)
	if err := f.Save(form{2, 1}); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(f.Dir, 0o770); err != nil {
		t.Fatal(err)
	}
	var got form
	for _, err := range []error{f.Load(&got), f.Save(form{2, 2}), state.Private(f.Dir)} {
		problem(t, err, "other users may write to it (mode 770)", "chmod 700 it")
	}
	link := f
	link.Dir = f.Dir + "-link"
	if err := os.Symlink(f.Dir, link.Dir); err != nil {
		t.Fatal(err)
	}
	problem(t, link.Save(form{2, 2}), "it is a symbolic link", "CWAGENT_STATE_DIR")
	link.Dir = f.Path()
	problem(t, link.Save(form{2, 2}), "it is not a folder", "CWAGENT_STATE_DIR")
}

// Of many who add one under the lock, none is lost.
func TestLock(t *testing.T) {
	t.Parallel()
	f := file(t)
	const many = 20
	var adding sync.WaitGroup
	for range many {
		adding.Go(func() {
			unlock, err := f.Lock()
			if err != nil {
				t.Error(err)
				return
			}
			defer unlock()
			got := form{Version: 2}
			if err := errors.Join(f.Load(&got), f.Save(form{2, got.N + 1})); err != nil {
				t.Error(err)
			}
		})
	}
	adding.Wait()
	var got form
	if err := f.Load(&got); err != nil || got.N != many {
		t.Errorf("%v, %d of %d", err, got.N, many)
	}
}

// Who holds the lock keeps it when the process opens and closes the file once more,
// as every look at it does; when it is free the next one has it.
func TestLockStays(t *testing.T) {
	t.Parallel()
	f := file(t)
	unlock, err := f.Lock()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // each try opens and closes it
		if _, busy, err := f.TryLock(); !busy || err != nil {
			t.Fatalf("%v, %v", busy, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = f.LockWhile(ctx)
	problem(t, err, "another cwagent is changing it and does not come to an end", "look for a cwagent that hangs")
	unlock()
	if unlock, err = f.LockWhile(t.Context()); err != nil {
		t.Fatal(err)
	}
	unlock()
}
