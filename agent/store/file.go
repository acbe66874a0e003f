package store

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// File keeps secrets in a folder, for machines without a keyring, each in a file of
// its own that only the store's master key opens. The files are age's
// (age-encryption.org/v1), so that there is a way to them without this program:
//
//	jq -r .key store.json | age --decrypt [-i IDENTITY]    the master key
//	age --decrypt HASH.age                                 asks for it
//
// The master key is random, and is in store.json, encrypted to a passphrase of the
// person or to a key that lies elsewhere: see InitFile. Until it is in memory the
// store is locked. Whoever does not have it can neither read an item nor make one, as
// age's encryption to a passphrase is symmetric; an item names its key, so that one
// cannot pass for another. Who may write to the folder can still take items away, or
// put back an older one of the same key; the agent uses a key once. Such a person can
// also put another store there, empty, which is not opened by itself in the place of one
// that was open; to a later start it shows in that no token can be read.
//
// Machines may share the folder: files are replaced whole, and looked at each time.
// Like a keyring's, a call returns when its ctx ends, and one at a time is with the
// disk, which may be one far away.
type File struct {
	why     string
	files   *files
	calls   *bounded
	opening chan struct{} // capacity one; who has put something in may unlock
}

var (
	_ agent.StoreWatcher = (*File)(nil)
	_ agent.Unlocker     = (*File)(nil)
)

// FileConfig is where the files are.
type FileConfig struct {
	Dir  string        // FileFolder of the state folder
	Why  string        // says for Info why this store was taken
	Wait time.Duration // the deadline of a call whose ctx has none; zero means 3 s

	// Keep moves the master key to where secrets rest; nil: it stays where it is.
	Keep func(ipc.Secret) ipc.Secret
}

// NewFile returns the store in that folder. It does not look at it yet.
func NewFile(c FileConfig) *File {
	if c.Wait == 0 {
		c.Wait = keyringWait
	}
	f := &files{form: formFile(c.Dir), changed: make(chan struct{}), rest: c.Keep}
	why := "encrypted files in " + c.Dir
	if c.Why != "" {
		why = c.Why + ": " + why
	}
	return &File{why: why, files: f, calls: newBounded(f, c.Wait), opening: make(chan struct{}, 1)}
}

// Info implements agent.Store.
func (f *File) Info() ipc.StoreInfo { return ipc.StoreInfo{Kind: "file", Why: f.why} }

// Durable implements agent.Store.
func (*File) Durable() bool { return true }

// Plaintext implements agent.Store.
func (*File) Plaintext(context.Context) bool { return false }

// Get implements agent.Store. A file that was changed, cut short or put there by
// somebody else is an error that is none of the four answers.
func (f *File) Get(ctx context.Context, key string) (ipc.Secret, error) {
	s, err := f.calls.Get(ctx, key)
	if err != nil {
		return ipc.Secret{}, fmt.Errorf("read item %q: %w", key, err)
	}
	return s, nil
}

// Put implements agent.Store. A full disk is ErrRefused, and what was there stays.
func (f *File) Put(ctx context.Context, key string, s ipc.Secret) error {
	if err := f.calls.Put(ctx, key, s); err != nil {
		return fmt.Errorf("write item %q: %w", key, err)
	}
	return nil
}

// Delete implements agent.Store.
func (f *File) Delete(ctx context.Context, key string) error {
	if err := f.calls.Delete(ctx, key); err != nil {
		return fmt.Errorf("delete item %q: %w", key, err)
	}
	return nil
}

// Asks implements agent.Unlocker.
func (f *File) Asks(ctx context.Context) (what string, err error) {
	return within(ctx, f.calls, func(context.Context) (string, error) { return f.files.asks() })
}

// Unlock implements agent.Unlocker: the passphrase is the store's, or that of the key
// to which it is encrypted. It takes about a second and 256 MiB, so one is at work at
// a time; the work cannot be stopped, but has no effect once ctx has ended.
func (f *File) Unlock(ctx context.Context, passphrase ipc.Secret) error {
	select {
	case f.opening <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("unlock the file store: %w", ctx.Err())
	}
	done := make(chan error, 1)
	go func() {
		err := f.files.unlock(ctx, passphrase)
		debug.FreeOSMemory() // or the agent would stay that large
		<-f.opening
		done <- err
	}()
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("unlock the file store: %w", err)
	}
	return nil
}

// Lock forgets the master key. Unlock is needed then, also where the store opens by
// itself.
func (f *File) Lock() { f.files.lock() }
