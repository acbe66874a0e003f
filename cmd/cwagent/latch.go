package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/scrypt"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/state"
	"github.com/cwagent/cwagent/ipc"
)

// A latch is what "cwagent lock" shuts: a file beside the socket, so that neither a
// crash nor a restart opens it. It is this login's, and gone with the machine's
// runtime folder. One that cannot be read is shut.
type latch struct {
	file  state.File
	now   func() time.Time
	begin func() error // anew, after the answers that are owed

	is atomic.Pointer[shutting] // never nil; each request looks at it, and waits for no disk

	mu     sync.Mutex    // for who shuts or opens it
	opened chan struct{} // closed when it is open
	turn   chan struct{} // capacity one: who tries a passphrase
}

// shutting is what the file holds: no passphrase, but what can tell whether one is
// the right one.
type shutting struct {
	Version int       `json:"version"`
	Since   time.Time `json:"since"`
	Salt    string    `json:"salt,omitempty"` // hex, as all that follows
	Hash    string    `json:"scrypt,omitempty"`
}

// The cost of one guess: 32 MiB, about a tenth of a second, and guessPause for each
// that was wrong.
const (
	scryptN, scryptR, scryptP, scryptLen = 1 << 15, 8, 1, 32

	guessPause = time.Second
)

func newLatch(r *agentRun) *latch {
	l := &latch{
		file: state.File{Dir: filepath.Dir(r.path), Name: filepath.Base(r.path) + ".locked", Version: 1, Lost: "remove it, if you have forgotten the passphrase: the agent then is not locked"},
		now:  r.now, opened: make(chan struct{}), turn: make(chan struct{}, 1),
	}
	l.begin = r.beginAgain
	var is shutting
	if err := l.file.Load(&is); err != nil {
		r.log.Error("whether the agent is locked cannot be read: it is", "error", err)
		is = shutting{Since: l.now(), Hash: "unreadable"}
	}
	if l.is.Store(&is); is.Since.IsZero() {
		close(l.opened)
	}
	return l
}

// Shut implements agent.Latch.
func (l *latch) Shut() (since time.Time, guarded bool) {
	is := l.is.Load()
	return is.Since, is.Hash != ""
}

// Prepare implements agent.Latch.
func (l *latch) Prepare(passphrase ipc.Secret) (shut func() error, err error) {
	is := shutting{Version: 1, Since: l.now().Round(0)}
	if !passphrase.Empty() {
		var salt [16]byte
		_, _ = rand.Read(salt[:]) // never fails since Go 1.24
		is.Salt = hex.EncodeToString(salt[:])
		hash, err := is.hash(passphrase)
		if err != nil {
			return nil, err
		}
		is.Hash = hex.EncodeToString(hash)
	}
	return func() error { return l.shut(is) }, nil
}

func (l *latch) shut(is shutting) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if since, _ := l.Shut(); !since.IsZero() { // another one was faster
		return agent.ErrAgentLocked(since, l.now())
	}
	if err := l.file.Save(is); err != nil {
		return fail("nothing was locked", "agent: %v", err)
	}
	if err := l.begin(); err != nil {
		return errors.Join(fail("nothing was locked", "agent: %v", err), os.Remove(l.file.Path()))
	}
	l.opened = make(chan struct{})
	l.is.Store(&is)
	return nil
}

// Open implements agent.Latch.
func (l *latch) Open(ctx context.Context, passphrase ipc.Secret) error {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	is := l.is.Load()
	if is.Since.IsZero() {
		return nil
	}
	if is.Hash != "" && !is.opens(passphrase) {
		sleep(ctx, guessPause)
		return &ipc.Error{Code: ipc.CodePassphrase, What: "agent: that is not the passphrase that it was locked with", Hint: "try again: cwagent unlock"}
	}
	if err := os.Remove(l.file.Path()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fail("", "agent: it stays locked: %v", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.is.Store(&shutting{})
	close(l.opened)
	return nil
}

// open is closed when it is open.
func (l *latch) open() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.opened
}

func (s shutting) opens(passphrase ipc.Secret) bool {
	want, err := hex.DecodeString(s.Hash)
	if err != nil {
		return false
	}
	got, err := s.hash(passphrase)
	return err == nil && subtle.ConstantTimeCompare(want, got) == 1
}

func (s shutting) hash(passphrase ipc.Secret) ([]byte, error) {
	salt, err := hex.DecodeString(s.Salt)
	if err != nil {
		return nil, fmt.Errorf("salt: %w", err)
	}
	return scrypt.Key([]byte(passphrase.Reveal()), salt, scryptN, scryptR, scryptP, scryptLen)
}
