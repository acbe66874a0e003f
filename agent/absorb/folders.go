package absorb

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"runtime"
	"sync"

	"github.com/cwagent/cwagent/agent/atomicfile"
	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/agent/watch"
	"github.com/cwagent/cwagent/ipc"
)

// A folderSpec is which files count in a folder.
type folderSpec struct {
	names     map[string]bool
	downloads bool
}

func (s folderSpec) equal(t folderSpec) bool {
	return s.downloads == t.downloads && maps.Equal(s.names, t.names)
}

func (s folderSpec) match(name string) bool {
	if s.names[name] || atomicfile.Temporary(name) {
		return true
	}
	id, _ := kubeconfig.Download(name)
	return s.downloads && id != ""
}

// folderWatches are the folders that are watched, each by a goroutine.
type folderWatches struct {
	*Watcher
	now     map[string]folderWatch
	running sync.WaitGroup
}

type folderWatch struct {
	folderSpec
	end context.CancelFunc
}

// follow watches these folders and no others.
func (f *folderWatches) follow(ctx context.Context, want map[string]folderSpec) {
	for dir, had := range f.now {
		if spec, ok := want[dir]; !ok || !spec.equal(had.folderSpec) {
			had.end()
			delete(f.now, dir)
			f.mu.Lock()
			delete(f.folders, dir)
			f.mu.Unlock()
		}
	}
	for dir, spec := range want {
		if f.now[dir].end == nil {
			ctx, end := context.WithCancel(ctx)
			f.now[dir] = folderWatch{spec, end}
			f.running.Go(func() { f.watch(ctx, dir, spec) })
		}
	}
}

func (f *folderWatches) stop() {
	for _, w := range f.now {
		w.end()
	}
	f.running.Wait()
}

func (f *folderWatches) watch(ctx context.Context, dir string, spec folderSpec) {
	changed := func() {
		f.note(func() {
			f.news.dirty[dir] = true
			if dir == f.Rewritten.Dir {
				f.news.relist, f.news.fresh = true, true
			}
		})
	}
	state := func(err error) {
		if ctx.Err() != nil {
			return // another watch of the folder has begun
		}
		f.mu.Lock()
		f.folders[dir] = err
		f.mu.Unlock()
		changed()
	}
	watch.Folder(ctx, dir, watch.Options{Match: spec.match, Shared: f.Shared, State: state}, changed)
}

// folderLocked says how a folder of downloads is.
func (w *Watcher) folderLocked(dir string) ipc.Watch {
	x := ipc.Watch{Path: dir, Kind: ipc.WatchFolder, State: ipc.WatchQuiet, At: w.began}
	x.State, x.Why, x.Hint = folderState(w.folders[dir])
	return x
}

// folderState says what an error of a folder's watch means.
func folderState(err error) (s ipc.WatchState, why, hint string) {
	switch {
	case err == nil:
		return ipc.WatchQuiet, "", ""
	case errors.Is(err, fs.ErrNotExist):
		return ipc.WatchMissing, "there is no such folder; it is waited for", ""
	case errors.Is(err, fs.ErrPermission):
		return ipc.WatchUnreadable, err.Error(), permissionHint(runtime.GOOS)
	}
	return ipc.WatchQuiet, err.Error(), "" // changes are noticed late
}

// permissionHint says how a program gets to read a folder. macOS lets a person
// decide about Downloads, Documents and the desktop for each program.
func permissionHint(system string) string {
	if system == "darwin" {
		return "System Settings > Privacy & Security > Files and Folders: allow cwagent to read it"
	}
	return "give yourself the right to read it (chmod u+rx)"
}

// denied reports whether a file may not be read.
func denied(path string) bool {
	f, err := os.Open(path)
	if err == nil {
		f.Close()
	}
	return errors.Is(err, fs.ErrPermission)
}
