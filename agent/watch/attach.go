package watch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// attach makes the watch stand where it should: at the folder, else as near as
// possible above it. It tells the state and begins or ends to poll.
func (w *watcher) attach() {
	why, slow := w.watch()
	if why == nil {
		why = readable(w.dir)
	}
	if silent(w.dir) {
		slow = true
	}
	if w.Shared != nil {
		_, shared := w.Shared(w.dir)
		slow = slow || shared
	}
	switch {
	case slow && !w.polls:
		w.seen = take(w.dir, w.counts, snapshot{})
		w.poll.Reset(w.slow)
	case !slow && w.polls:
		w.poll.Stop()
	}
	w.polls = slow
	w.tell(why)
}

// tell hands a new state on. One that the folder comes with, or goes with, is a
// change as well.
func (w *watcher) tell(state error) {
	if w.told && text(state) == text(w.state) {
		return
	}
	if w.told && (state == nil || w.state == nil) {
		w.burst.note()
	}
	w.told, w.state = true, state
	if w.State != nil {
		w.State(state)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// readable says what the folder is good for. A watch that stands goes on when the
// folder may not be read any more; the reader of its files cannot.
func readable(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return folder(dir)
}

func folder(dir string) error {
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "watch", Path: dir, Err: syscall.ENOTDIR}
	}
	return err
}

// watch puts the watch where it should stand, and says why that is not the
// folder; slow, if it stands nowhere.
func (w *watcher) watch() (why error, slow bool) {
	if w.open == nil {
		return nil, true
	}
	if w.events == nil {
		events, err := w.open()
		if err != nil {
			return w.noRoom(err), true
		}
		w.events = listen(events)
	}
	// A folder may come after it was found missing and before the watch above it
	// stood: climb until that makes no difference.
	at, why := w.climb()
	for before := ""; at != before && at != w.dir && at != ""; {
		before = at
		at, why = w.climb()
	}
	for _, old := range w.events.WatchList() {
		if old != at {
			w.events.Remove(old) // may have gone by itself
		}
	}
	return why, at == ""
}

// climb watches the folder, or else the nearest one above it that lets itself be
// watched, and says why it is not the folder.
func (w *watcher) climb() (at string, why error) {
	for dir := w.dir; ; dir = filepath.Dir(dir) {
		err := folder(dir)
		if err == nil {
			err = w.add(w.events.Watcher, dir)
			if err == nil {
				return dir, why
			}
			if !errors.Is(err, fs.ErrPermission) && !errors.Is(err, fs.ErrNotExist) {
				return "", w.noRoom(err)
			}
			err = fmt.Errorf("watch %s: %w", dir, err)
		}
		if why == nil {
			why = err
		}
		if dir == filepath.Dir(dir) {
			return "", why
		}
	}
}

// noRoom is the state in which the system gives no events. Each look tries again.
func (w *watcher) noRoom(err error) error {
	return fmt.Errorf("watch %s: %w (looking every %v instead)", w.dir, explain(err), w.slow)
}

// above reports whether name is the folder or one that it lies in. All the same
// on Windows, where events do not come in the case of the path.
func (w *watcher) above(name string) bool {
	n := len(name)
	return n <= len(w.dir) && strings.EqualFold(w.dir[:n], name) &&
		(n == len(w.dir) || os.IsPathSeparator(w.dir[n]) || os.IsPathSeparator(w.dir[n-1]))
}
