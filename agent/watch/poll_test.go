package watch

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
)

// A bubble has a Folder that runs where an hour takes no time. The events of the
// kernel do not come into it.
type bubble struct {
	calls  atomic.Int64
	mu     sync.Mutex
	states []error
}

func polled(t *testing.T, w *watcher, do func(t *testing.T, b *bubble)) {
	synctest.Test(t, func(t *testing.T) {
		b := new(bubble)
		w.changed = func() { b.calls.Add(1) }
		w.State = func(err error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.states = append(b.states, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); w.run(ctx) }()
		synctest.Wait()
		do(t, b)
		cancel()
		<-done
	})
}

// in lets a time pass and says how many calls there were in it.
func (b *bubble) in(d time.Duration) int64 {
	before := b.calls.Load()
	time.Sleep(d) // of the bubble
	synctest.Wait()
	return b.calls.Load() - before
}

// exhausted is a watcher on a machine that has no more room for it.
func exhausted(dir string, o Options) *watcher {
	w := newWatcher(dir, o, nil)
	w.slow = slowly
	w.open = func() (*fsnotify.Watcher, error) { return nil, syscall.EMFILE }
	return w
}

// kqueue is a watcher on a system whose events are of no use.
func kqueue(dir string, o Options) *watcher {
	w := newWatcher(dir, o, nil)
	w.open, w.slow = nil, 5*time.Second
	return w
}

func TestPolls(t *testing.T) {
	t.Parallel()
	for name, on := range map[string]func(string, Options) *watcher{"no room": exhausted, "kqueue": kqueue} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "d")
			config := filepath.Join(dir, "config")
			must(t, os.Mkdir(dir, 0o755))
			write(t, config, "old")
			w := on(dir, Options{Match: only("config")})
			polled(t, w, func(t *testing.T, b *bubble) {
				if n := b.in(time.Hour); n != 0 {
					t.Errorf("called %d times, nothing has changed", n)
				}
				write(t, filepath.Join(dir, "other"), "x")
				if n := b.in(time.Hour); n != 0 {
					t.Errorf("called %d times for what does not count", n)
				}
				for _, do := range []func(){
					func() { write(t, config, "longer") },
					func() { must(t, os.Chtimes(config, time.Time{}, time.Unix(1e9, 0))) },
					func() { must(t, os.Chmod(config, 0o400)) },
					func() { write(t, config+".new", "longer"); must(t, os.Rename(config+".new", config)) },
					func() { must(t, os.Remove(config)) },
					func() { write(t, config, "again") },
					func() { must(t, os.RemoveAll(dir)) },
					func() { must(t, os.Mkdir(dir, 0o755)) },
				} {
					do()
					if n := b.in(w.slow); n != 1 {
						t.Errorf("called %d times, want 1", n)
					}
					if n := b.in(time.Hour); n != 0 {
						t.Errorf("called %d times more", n)
					}
				}
			})
		})
	}
}

func TestPollStates(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "d")
	w := kqueue(dir, Options{})
	polled(t, w, func(t *testing.T, b *bubble) {
		b.in(time.Hour)
		must(t, os.Mkdir(dir, 0o755))
		b.in(time.Hour)
		must(t, os.Remove(dir))
		b.in(time.Hour)
		gone := func(err error) bool { return errors.Is(err, os.ErrNotExist) }
		if s := b.states; len(s) != 3 || !gone(s[0]) || s[1] != nil || !gone(s[2]) || b.calls.Load() != 2 {
			t.Errorf("states %q and %d calls", s, b.calls.Load())
		}
	})
}

// A limit is told in words, and events are taken as soon as there is room.
func TestNoRoom(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]error{"instances": syscall.EMFILE, "watches": syscall.ENOSPC} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			w := newWatcher(dir, Options{}, nil)
			if w.open == nil {
				t.Skip("this system's events are not used")
			}
			w.slow = 10 * time.Millisecond
			refusals := 3 // only Folder's goroutine counts them
			room := func() error {
				if refusals--; refusals >= 0 {
					return limit
				}
				return nil
			}
			open, add := w.open, w.add
			if limit == syscall.EMFILE {
				w.open = func() (*fsnotify.Watcher, error) {
					if err := room(); err != nil {
						return nil, err
					}
					return open()
				}
			} else {
				w.add = func(f *fsnotify.Watcher, dir string) error {
					if err := room(); err != nil {
						return err
					}
					return add(f, dir)
				}
			}
			f, err := begin(t, w, func(do func()) { do() })
			if !errors.Is(err, limit) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "looking every") {
				t.Errorf("state %v", err)
			}
			if err := f.state(); err != nil {
				t.Errorf("state %v", err)
			}
			f.settled()
			f.soon(func() { write(t, filepath.Join(dir, "x"), "x") })
			f.end()
			if w.polls {
				t.Error("looks on though there are events")
			}
		})
	}
}

// On a shared file system this machine's changes are told at once and not again
// at the next look, which is there for the changes of the others.
func TestShared(t *testing.T) {
	t.Parallel()
	shared := Options{Shared: func(string) (string, bool) { return "NFS", true }}
	t.Run("ours", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		w := newWatcher(dir, shared, nil)
		if w.open == nil {
			t.Skip("this system's events are not used")
		}
		f, err := begin(t, w, func(do func()) { do() })
		if err != nil {
			t.Fatal(err)
		}
		f.soon(func() { write(t, filepath.Join(dir, "x"), "x") })
		f.settled()
		f.end()
		if !w.polls {
			t.Error("is not looked at")
		}
		if w.look(); len(f.calls) != 0 {
			t.Error("told again by the look")
		}
	})
	t.Run("others'", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		w := newWatcher(dir, shared, nil)
		w.slow = 10 * time.Millisecond
		w.add = func(*fsnotify.Watcher, string) error { return nil } // no event will come
		f, err := begin(t, w, func(do func()) { do() })
		if err != nil {
			t.Fatal(err)
		}
		f.soon(func() { write(t, filepath.Join(dir, "x"), "x") })
	})
}

func TestBurst(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		events []time.Duration
		want   []time.Duration
	}{
		{"one", []time.Duration{0}, []time.Duration{quiet}},
		{"three together", []time.Duration{0, 30e6, 60e6}, []time.Duration{60e6 + quiet}},
		{"two apart", []time.Duration{0, 200e6}, []time.Duration{quiet, 200e6 + quiet}},
		{"no end", steps(40e6, time.Second), []time.Duration{longest, 520e6 + longest}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := burst{timer: stopped()}
				start := time.Now()
				next := time.NewTimer(0)
				var got []time.Duration
				for end := time.After(time.Minute); ; {
					select {
					case <-next.C:
						b.note()
						if tt.events = tt.events[1:]; len(tt.events) > 0 {
							next.Reset(tt.events[0] - time.Since(start))
						}
					case <-b.timer.C:
						b.over()
						got = append(got, time.Since(start))
						continue
					case <-end:
						if !slices.Equal(got, tt.want) {
							t.Errorf("told at %v, want %v", got, tt.want)
						}
						return
					}
				}
			})
		})
	}
}

// steps are events every so often, until end.
func steps(every, end time.Duration) (at []time.Duration) {
	for d := time.Duration(0); d <= end; d += every {
		at = append(at, d)
	}
	return at
}
