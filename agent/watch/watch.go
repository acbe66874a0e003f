// Package watch tells when something in a folder has changed.
//
// It watches the folder and not a file in it: editors, browsers and kubectl
// replace files by renaming, and a watch on a file stays with the old one. What
// comes together is told together: after 75 ms of quiet, or 500 ms after the
// first event if there is no quiet.
//
// A folder that is not there, or may not be read, is a state that is told, and is
// waited for: the nearest folder above it that can be watched is watched until
// it is there. A folder that goes and returns is picked up again.
//
// Events are believed where they can be. There nothing is looked at while nothing
// happens. Where the kernel cannot know what happens (the folder is on another
// machine, or behind a program), and where it has no more room for a watch, the
// names, sizes and times in the folder are compared once a minute as well. On
// macOS and the BSDs they are compared every 5 seconds and nothing else is done:
// kqueue(2) would open every file of the folder, and a program that launchd has
// started may open 256.
//
// Where only events are believed, some things are noticed not before the next
// change in the folder: that one above it was renamed or mounted over, that a
// link on the way to it leads elsewhere, that it was deleted, being empty, while
// a process stood in it (the kernel tells when that has left). A file that is a
// link to one in another folder changes there: watch that folder.
package watch

import (
	"context"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	quiet   = 75 * time.Millisecond
	longest = 500 * time.Millisecond

	// slowly is how often a folder is looked at whose events are not to be trusted.
	slowly = time.Minute
)

// Options are how to watch a folder. The zero value watches everything.
type Options struct {
	// Match says whether a file of that name, without its folder, counts. It has
	// to decide by the name alone. Nil means all. "..data" always counts: it is
	// the link by which Kubernetes swaps the files of a projected volume.
	Match func(name string) bool

	// Shared says whether a folder lies on a file system that other machines
	// write to, and its name: kubeconfig.Shared. Such folders are compared slowly,
	// beside the events that this machine causes. Nil means that none does.
	Shared func(dir string) (name string, shared bool)

	// State is told what keeps the folder from being watched, nil when nothing
	// does, and each time that this is another thing: first of all at the
	// beginning. From a nil on no change is missed, so it is the moment to read
	// the folder for the first time. A folder that is not there is
	// fs.ErrNotExist. Some states only mean that changes are told late.
	State func(err error)
}

// Folder calls changed whenever something in dir has changed, until ctx ends,
// also when the folder comes or goes. It does not call it at the beginning. All
// calls come from the goroutine of Folder, and it leaves nothing behind.
func Folder(ctx context.Context, dir string, o Options, changed func()) {
	newWatcher(dir, o, changed).run(ctx)
}

// A watcher is one call of Folder.
type watcher struct {
	Options
	dir     string
	changed func()

	// open makes what events come from; nil where the system's are of no use. add
	// is its Add. Tests have some without room.
	open func() (*fsnotify.Watcher, error)
	add  func(w *fsnotify.Watcher, dir string) error
	slow time.Duration // between two looks, where there have to be any

	events *events // nil: there are none
	told   bool    // State was told state
	state  error
	burst  burst
	polls  bool        // the folder is looked at every now and then
	poll   *time.Timer // runs if polls
	seen   snapshot    // up to date if polls
}

func newWatcher(dir string, o Options, changed func()) *watcher {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	w := &watcher{
		Options: o, dir: dir, changed: changed,
		open: openEvents, add: (*fsnotify.Watcher).Add, slow: slowly,
	}
	if w.open == nil {
		w.slow = onlyPoll
	}
	return w
}

func (w *watcher) run(ctx context.Context) {
	w.poll = stopped()
	w.burst.timer = stopped()
	defer w.close()
	w.attach()
	for ctx.Err() == nil {
		var happened <-chan fsnotify.Event
		var lost <-chan struct{}
		if w.events != nil {
			happened, lost = w.events.Events, w.events.lost
		}
		select {
		case <-ctx.Done():
		case e := <-happened:
			w.event(e)
		case <-lost: // anything may have changed
			w.attach()
			w.burst.note()
		case <-w.burst.timer.C:
			w.attach() // the folder may be another one, see the package comment
			w.call()
		case <-w.poll.C:
			w.look()
		}
	}
}

func (w *watcher) close() {
	w.poll.Stop()
	w.burst.timer.Stop()
	if w.events != nil {
		w.events.close()
	}
}

func (w *watcher) event(e fsnotify.Event) {
	name := filepath.Clean(e.Name) // what is in / comes as //
	switch {
	case w.above(name):
		w.attach()
		if name == w.dir && e.Op != fsnotify.Chmod {
			w.burst.note() // another folder may be there already
		}
	case filepath.Dir(name) == w.dir && w.counts(filepath.Base(name)):
		w.burst.note()
	}
}

func (w *watcher) counts(name string) bool {
	return w.Match == nil || name == "..data" || w.Match(name)
}

// look compares the folder with what was seen last.
func (w *watcher) look() {
	before := w.seen
	w.attach()
	w.seen = take(w.dir, w.counts, before)
	if w.polls {
		w.poll.Reset(w.slow)
	}
	if !w.seen.equal(before) {
		w.call()
	}
}

func (w *watcher) call() {
	w.burst.over()
	if w.polls {
		w.seen = take(w.dir, w.counts, w.seen) // what an event told is not told again
	}
	w.changed()
}

// A burst is a number of events that are told together.
type burst struct {
	timer *time.Timer // runs while there is something to tell
	end   time.Time   // when it has to be told; zero: nothing to tell
}

func (b *burst) note() {
	now := time.Now()
	if b.end.IsZero() {
		b.end = now.Add(longest)
	}
	b.timer.Reset(min(quiet, b.end.Sub(now)))
}

func (b *burst) over() {
	b.timer.Stop()
	b.end = time.Time{}
}

// stopped returns a timer that does not run.
func stopped() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}
