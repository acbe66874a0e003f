package store

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// watched watches a store until the test ends, and returns what it is told.
func watched(t *testing.T, s *File) <-chan struct{} {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ready, done := make(chan struct{}, 16), make(chan struct{})
	go func() {
		defer close(done)
		s.Watch(ctx, func() { ready <- struct{}{} })
	}()
	t.Cleanup(func() { cancel(); <-done })
	return ready
}

func wantReady(t *testing.T, s *File, ready <-chan struct{}) {
	t.Helper()
	select {
	case <-ready:
	case <-time.After(20 * time.Second):
		t.Fatal("nothing was told")
	}
	if err := s.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Made, unlocked, locked and unlocked: each time that it can be used is told.
func TestFileWatch(t *testing.T) {
	t.Parallel()
	state := filepath.Join(t.TempDir(), "state")
	s := fileIn(state)
	ready := watched(t, s)
	if _, err := InitFile(FileInit{State: state, Ask: says(filePassphrase), work: 4}); err != nil {
		t.Fatal(err)
	}
	if len(ready) > 0 {
		t.Fatal("told while it was locked")
	}
	for range 3 {
		unlockFile(t, s, filePassphrase)
		wantReady(t, s, ready)
		unlockFile(t, s, filePassphrase) // no news
		s.Lock()
		for len(ready) > 0 { // who looked while it was unlocked may have told it twice
			<-ready
		}
	}
	unlockFile(t, s, filePassphrase)
	wantReady(t, s, ready)
	wantReady(t, s, watched(t, s)) // also who comes later
}

// The disk with the key comes; the store is made by another program.
func TestFileWatchIdentity(t *testing.T) {
	t.Parallel()
	state, media := filepath.Join(t.TempDir(), "state"), t.TempDir()
	stick := filepath.Join(media, "stick")
	if err := os.Mkdir(stick, 0o700); err != nil {
		t.Fatal(err)
	}
	init := FileInit{State: state, Identity: filepath.Join(stick, "id"), Ask: unasked(t)}
	writeFile(t, init.Identity, sshKey(t, edKey(t)))
	s := fileIn(state)
	ready := watched(t, s)
	if _, err := InitFile(init); err != nil {
		t.Fatal(err)
	}
	wantReady(t, s, ready)

	for _, away := range []string{init.Identity, stick} {
		rename(t, away, away+"-away")
		s = fileIn(state)
		ready = watched(t, s)
		if err := s.Put(t.Context(), "prod.00000001", ipc.NewSecret("one")); err == nil || len(ready) > 0 {
			t.Errorf("%v, told %d times", err, len(ready))
		}
		rename(t, away+"-away", away)
		wantReady(t, s, ready)
		put(t, s, "prod.00000001", "one")
	}
}
