package absorb

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/cwagent/cwagent/agent/atomicfile"
	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/agent/rewritten"
	"github.com/cwagent/cwagent/ipc"
)

// A file is one that is looked after.
type file struct {
	path  string // as a person knows it
	kind  ipc.WatchKind
	noted bool     // import has rewritten it, and nothing else speaks for it: it may be gone for good
	dirs  []string // in which a change is one of the file, through a link, too

	looked   bool
	seen     os.FileInfo // when it was looked at last; nil: it was not there
	found    []finding
	foreign  bool   // it has tokens that are not CoreWeave's: the agent may come to know them
	question string // what has to be asked about its tokens; empty: nothing
	answered string // the question to which found is the answer
	next     time.Time
	tries    int
	busy     bool // what these tries met with was somebody else at work
}

// A finding is how a file is, or what there is to say about one of its tokens.
type finding struct {
	ipc.Watch
	again   bool   // worth another try without being asked
	undated string // label of the new token of which it says that nobody knows when it ends
}

// open reports whether the findings may be others when something else than the
// file has changed.
func (f *file) open() bool {
	return f.foreign || slices.ContainsFunc(f.found, lies)
}

// lies is said of a token that lies in its file.
func lies(x finding) bool {
	return x.State == ipc.WatchFound || x.State == ipc.WatchWaiting || x.State == ipc.WatchRestored
}

// list brings the list of kubeconfigs up to date, and returns what has to be
// watched for it. n gets what has to be looked at because of that.
func (w *Watcher) list(n news) map[string]folderSpec {
	records, err := w.Rewritten.Load()
	if err != nil {
		w.Log.Error("not known which files import has rewritten", "error", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	specs := specs{}
	specs.add(w.Rewritten.Dir, consentFile, "rewritten.json")
	was := w.files
	w.files = map[string]*file{}
	if w.settings.OnStaticToken == Ignore {
		return specs
	}
	real := map[string]*file{}
	for _, f := range was {
		real[rewritten.Path(f.path)] = f
	}
	for _, f := range kubeconfigs(w.settings.Kubeconfigs, records) {
		at := rewritten.Path(f.path)
		if old := real[at]; old != nil {
			f.found, f.foreign, f.seen = old.found, old.foreign, old.seen
			if old.path == f.path && old.kind == f.kind && old.noted == f.noted {
				f = old
			}
			delete(real, at)
		}
		w.files[f.path] = f
		for _, dir := range f.dirs {
			for _, name := range []string{filepath.Base(f.path), filepath.Base(at)} {
				specs.add(dir, name, name+".lock") // that a lock goes may be what is waited for
			}
		}
	}
	for _, dir := range w.settings.Downloads {
		specs.add(dir)
		specs[dir] = folderSpec{specs[dir].names, true}
		n.dirty[dir] = true
	}
	for _, f := range real {
		if f.kind == ipc.WatchDownload && slices.Contains(w.settings.Downloads, f.dirs[0]) {
			w.files[f.path] = f
		}
	}
	return specs
}

// specs are which files count, by folder.
type specs map[string]folderSpec

func (s specs) add(dir string, names ...string) {
	if s[dir].names == nil {
		s[dir] = folderSpec{names: map[string]bool{}}
	}
	for _, name := range names {
		s[dir].names[name] = true
	}
}

// kubeconfigs are those named and those of the records, each once.
func kubeconfigs(named []string, records []rewritten.File) []*file {
	var all []*file
	seen := map[string]bool{}
	for _, path := range named {
		all = append(all, &file{path: path})
	}
	for _, r := range records {
		// A folder that is gone with its file may be one of thousands that a test
		// has left.
		if _, err := os.Stat(filepath.Dir(r.Path)); err == nil {
			all = append(all, &file{path: r.Path, noted: true})
		}
	}
	return slices.DeleteFunc(all, func(f *file) bool {
		real := rewritten.Path(f.path)
		twice := seen[real]
		seen[real] = true
		f.kind, f.dirs = ipc.WatchKubeconfig, []string{filepath.Dir(f.path)}
		if dir := filepath.Dir(real); dir != f.dirs[0] {
			f.dirs = append(f.dirs, dir)
		}
		return twice
	})
}

// look looks at the files that n is about and at those that are to be tried
// again.
func (w *Watcher) look(ctx context.Context, n news) {
	w.tidy(n)
	w.discover(n)
	if n.fresh {
		w.date(ctx)
	}
	for _, f := range w.sorted() {
		if ctx.Err() == nil && w.worth(f, n) {
			w.put(f.path, w.examine(ctx, f, false))
		}
	}
}

// tidy removes what a cwagent that was killed has left in the folders that n is
// about: a temporary file may hold a token, and a lock keeps kubectl out.
func (w *Watcher) tidy(n news) {
	now := w.Now()
	dirs := maps.Clone(n.dirty)
	for dir, at := range w.tidying {
		if !now.Before(at) {
			dirs[dir] = true
		}
	}
	for dir := range dirs {
		delete(w.tidying, dir)
		if atomicfile.Sweep(dir) {
			w.tidying[dir] = now.Add(time.Second)
		}
	}
	if len(dirs) == 0 {
		return
	}
	for _, f := range w.sorted() {
		if f.kind != ipc.WatchKubeconfig {
			continue
		}
		for _, path := range []string{f.path, rewritten.Path(f.path)} {
			if dir := filepath.Dir(path); dirs[dir] && kubeconfig.SweepLock(path) {
				w.tidying[dir] = now.Add(time.Second)
			}
		}
	}
}

// worth reports whether f is to be looked at because of n, or because it is time.
func (w *Watcher) worth(f *file, n news) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	changed := slices.ContainsFunc(f.dirs, func(dir string) bool { return n.dirty[dir] }) && f.changed()
	due := !f.next.IsZero() && !w.Now().Before(f.next)
	if changed || due {
		f.answered = ""
	}
	yes := changed || due || !f.looked || n.fresh && f.open()
	f.looked = true
	return yes
}

// changed reports whether f has to be read: something has happened in its folder. A
// kubeconfig is read then, whatever it was; there may be thousands of downloads.
func (f *file) changed() bool {
	info, err := os.Stat(f.path)
	before := f.seen
	f.seen = info
	return f.kind != ipc.WatchDownload || before == nil || err != nil ||
		!os.SameFile(before, info) || before.Size() != info.Size() || !before.ModTime().Equal(info.ModTime()) || before.Mode() != info.Mode()
}

// discover finds the downloads in the folders that n is about.
func (w *Watcher) discover(n news) {
	w.mu.Lock()
	dirs := slices.Clone(w.settings.Downloads)
	if w.settings.OnStaticToken == Ignore {
		dirs = nil
	}
	w.mu.Unlock()
	for _, dir := range dirs {
		if !n.dirty[dir] {
			continue
		}
		entries, _ := os.ReadDir(dir) // the state of the folder says it
		there := map[string]bool{}
		w.mu.Lock()
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			if id, _ := kubeconfig.Download(path); id == "" || !e.Type().IsRegular() {
				continue
			}
			there[path] = true
			if w.files[path] == nil && !w.knownLocked(path) {
				w.files[path] = &file{path: path, kind: ipc.WatchDownload, dirs: []string{dir}}
			}
		}
		for path, f := range w.files {
			if f.kind == ipc.WatchDownload && f.dirs[0] == dir && !there[path] {
				delete(w.files, path)
			}
		}
		w.mu.Unlock()
	}
}

// knownLocked reports whether another file of the list leads to the same place.
func (w *Watcher) knownLocked(path string) bool {
	real := rewritten.Path(path)
	for p, f := range w.files {
		if f.kind == ipc.WatchKubeconfig && rewritten.Path(p) == real {
			return true
		}
	}
	return false
}

// sorted are the files, the oldest first: of two downloads for one credential the
// newer one has the last word.
func (w *Watcher) sorted() []*file {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []*file
	for _, f := range w.files {
		all = append(all, f)
	}
	slices.SortFunc(all, byAge)
	return all
}
