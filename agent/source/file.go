package source

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// A File is a bare token in a file that something else refreshes: a projected
// ServiceAccount token, the sink of a Vault Agent. Its writer should replace it
// as a whole: half a token looks like one.
//
// The token ends when it says so itself, being a JWT, or else a Lifetime after
// the file was written.
//
// What is watched is the folder of Path, which is where kubelet swaps the ..data
// link of a projected volume. If Path is a link of somebody's own into another
// folder, a change there is noticed when the next token is due.
type File struct {
	Path     string        // absolute; links are followed
	Lifetime time.Duration // from when the file was written, of a token that does not say when it ends; zero: unknown
	Now      func() time.Time

	// WatchFolder calls changed after something in dir may have changed, until
	// ctx ends. Where it is nil, nothing is noticed before the token is due.
	WatchFolder func(ctx context.Context, dir string, changed func())

	mu   sync.Mutex
	last [sha256.Size]byte // of the token that was given or announced last; zero: none
}

var _ agent.Watcher = (*File)(nil)

// Kind implements agent.Source.
func (*File) Kind() string { return "file" }

// Next implements agent.Source: it reads the file as it is now.
func (f *File) Next(context.Context, agent.Occasion) (agent.Minted, error) {
	token, written, e := f.read()
	if e == nil {
		f.learn(token)
		m := agent.Minted{Secret: token}
		if e = f.date(&m, written); e == nil {
			return m, nil
		}
	}
	return agent.Minted{}, before(bounded(clean(f.Path))+": ", e)
}

// Watch implements agent.Watcher.
func (f *File) Watch(ctx context.Context, changed func()) {
	if f.WatchFolder != nil && ctx.Err() == nil {
		f.notice(changed) // a change between the last Next and now
		f.WatchFolder(ctx, filepath.Dir(f.Path), func() { f.notice(changed) })
	}
	<-ctx.Done()
}

// notice calls changed if the file holds another token than before. What cannot
// be read is on its way, or will be found by Next.
func (f *File) notice(changed func()) {
	token, _, e := f.read()
	if e == nil && f.learn(token) {
		changed()
	}
}

// learn reports whether token is another one than the last; the first is not.
func (f *File) learn(token ipc.Secret) bool {
	sum := agent.Sum(token)
	f.mu.Lock()
	defer f.mu.Unlock()
	last := f.last
	f.last = sum
	return last != sum && last != [sha256.Size]byte{}
}

// date says when the token ends. One that has ended is no fault of the file's:
// its writer may be late.
func (f *File) date(m *agent.Minted, written time.Time) *agent.SourceError {
	now := clock(f.Now)
	if written.After(now) {
		written = now // the clock was set back since, and the file may be new
	}
	var end time.Time
	if c, ok := readJWT(m.Secret); f.Lifetime > 0 && (!ok || c.expires.IsZero()) {
		end = written.Add(f.Lifetime)
	}
	if e := settle(m, now, end); e != nil {
		return transient(e.Why, "something else has to refresh this file: see whether that runs")
	}
	if m.Created.IsZero() {
		m.Created = written
	}
	return nil
}

// read returns what the file holds, and when it was written.
func (f *File) read() (ipc.Secret, time.Time, *agent.SourceError) {
	const hint = "see source.file of this credential in config.yaml"
	if !filepath.IsAbs(f.Path) {
		return ipc.Secret{}, time.Time{}, broken("it is not named by an absolute path", hint)
	}
	b, info, err := readSome(f.Path, ipc.MaxPart+1)
	if err == nil && !info.Mode().IsRegular() {
		return ipc.Secret{}, time.Time{}, broken("it is not a regular file", hint)
	}
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		err = pe.Err
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ipc.Secret{}, time.Time{}, transient("there is no such file", "something else has to make it: see whether that runs")
	case errors.Is(err, fs.ErrPermission):
		return ipc.Secret{}, time.Time{}, broken("it may not be read: "+clean(err.Error()), "the agent reads it as the user that it runs as")
	case err != nil:
		return ipc.Secret{}, time.Time{}, transient("it cannot be read: "+clean(err.Error()), "")
	case len(b) > ipc.MaxPart:
		return ipc.Secret{}, time.Time{}, broken("it is larger than 128 KiB", hint)
	}
	token, e := bare(string(b))
	if e != nil {
		e = before("it holds ", e)
	}
	if e != nil && len(b) == 0 {
		e.Class = agent.Transient // it is being written
	}
	return token, info.ModTime(), e
}

// readSome reads up to n bytes of a file, and what is known about that very file.
func readSome(path string, n int64) ([]byte, fs.FileInfo, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, info, err // it could be a FIFO, which never ends
	}
	b, err := io.ReadAll(io.LimitReader(file, n))
	return b, info, err
}
