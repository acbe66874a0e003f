package absorb

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

const (
	firstRetry = time.Second
	lastRetry  = 5 * time.Minute

	// Kubectl has its lock for milliseconds, and an import its turn not for much
	// longer: nothing is said about it during the first tries.
	busyRetry = 50 * time.Millisecond
	busyTries = 30
)

// byAge compares by the time of the file, then by its path.
func byAge(a, b *file) int {
	var x, y time.Time
	if a.seen != nil {
		x = a.seen.ModTime()
	}
	if b.seen != nil {
		y = b.seen.ModTime()
	}
	return cmp.Or(x.Compare(y), strings.Compare(a.path, b.path))
}

// An outcome is what came of looking at a file.
type outcome struct {
	found    []finding
	foreign  bool   // see file.foreign
	question string // what is left to be asked; see file.question
	answered string // the question that was asked for this
	busy     bool   // somebody else is at work on it
}

// put keeps what came of looking at a file, and says in the log what is new.
func (w *Watcher) put(path string, o outcome) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.files[path]
	if f == nil {
		return // not looked after any more
	}
	f.question, f.foreign = o.question, o.foreign
	if o.answered != "" && !o.busy { // else it has to be asked again
		f.answered, f.question = o.answered, ""
	}
	if f.question == f.answered {
		f.question = "" // what is known is the answer
	}
	if o.busy != f.busy {
		f.busy, f.tries = o.busy, 0
	}
	absorbed := func(x finding) bool { return x.State == ipc.WatchAbsorbed }
	if f.busy && f.tries < busyTries && !slices.ContainsFunc(o.found, absorbed) {
		w.settleLocked(f)
		return
	}
	found := answered(f.found, o.found, o.question != "" && f.question == "")
	for i := range found {
		x := &found[i]
		same := func(y finding) bool { return y.State == x.State && y.Why == x.Why && y.User == x.User }
		if j := slices.IndexFunc(f.found, same); j >= 0 && x.State != ipc.WatchAbsorbed {
			x.At = f.found[j].At
		} else {
			w.report(*x)
		}
	}
	f.found = merged(f.found, found)
	w.settleLocked(f)
}

// answered puts what is known about a token in the place of saying that it is
// being asked about. late, if a look says that which was begun before the answer: what
// was absorbed since is known, too.
func answered(before, now []finding, late bool) []finding {
	out := slices.Clone(now)
	for i, x := range now {
		known := func(y finding) bool { return y.User == x.User && (lies(y) || late && y.State == ipc.WatchAbsorbed) }
		if j := slices.IndexFunc(before, known); x.Why == asking && j >= 0 {
			out[i] = before[j]
		}
	}
	return out
}

// merged puts new findings in the place of old ones. That a token was absorbed is
// worth knowing for as long as nothing else is to be said about its user.
func merged(before, now []finding) []finding {
	for _, x := range before {
		said := func(y finding) bool { return y.User == x.User && y.State != ipc.WatchQuiet }
		if x.State == ipc.WatchAbsorbed && !slices.ContainsFunc(now, said) && !slices.ContainsFunc(now, unknown) {
			now = append(now, x)
		}
	}
	quiet := func(x finding) bool { return x.State == ipc.WatchQuiet }
	if slices.ContainsFunc(now, func(x finding) bool { return !quiet(x) }) {
		now = slices.DeleteFunc(now, quiet)
	}
	return now
}

// itIsNew is why a token was absorbed that nobody knew.
const itIsNew = "it is the new token of the credential"

// date takes back that nobody knows when a new token ends, once somebody has said
// it, or the credential has another one.
func (w *Watcher) date(ctx context.Context) {
	s, err := w.Agent.Status(ctx, ipc.StatusRequest{})
	if err != nil {
		return // it is done with the next change
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.files {
		for i := range f.found {
			x := &f.found[i]
			still := func(c ipc.Credential) bool { return c.Label == x.undated && c.Expiry == ipc.ExpiryUnknown }
			if x.undated != "" && !slices.ContainsFunc(s.Credentials, still) {
				x.Why, x.Hint, x.undated = itIsNew, "", ""
			}
		}
	}
}

// unknown is said of a file that is not there or cannot be read.
func unknown(x finding) bool {
	return x.State == ipc.WatchMissing || x.State == ipc.WatchUnreadable || x.Why == deleted
}

// settleLocked decides when f is tried again.
func (w *Watcher) settleLocked(f *file) {
	now := w.Now()
	switch {
	case f.question != "":
		f.next = time.Time{} // the answer decides
	case !f.busy && !slices.ContainsFunc(f.found, func(x finding) bool { return x.again }):
		f.next, f.tries = time.Time{}, 0
	case f.next.IsZero() || !now.Before(f.next):
		wait := min(firstRetry<<min(f.tries, 20), lastRetry)
		switch more := f.tries - busyTries; {
		case f.busy && more < 0:
			wait = busyRetry
		case f.busy:
			wait = min(firstRetry<<min(more, 20), lastRetry)
		}
		f.next = now.Add(wait)
		f.tries++
	}
}

// next returns when the first file is to be tried again; zero: none.
func (w *Watcher) next() (at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.files {
		if !f.next.IsZero() && (at.IsZero() || f.next.Before(at)) {
			at = f.next
		}
	}
	for _, again := range w.tidying {
		if at.IsZero() || again.Before(at) {
			at = again
		}
	}
	return at
}

// questions are the files about whose tokens somebody has to be asked.
func (w *Watcher) questions() []*file {
	return slices.DeleteFunc(w.sorted(), func(f *file) bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return f.question == ""
	})
}

// ask asks about the tokens of some files, one after the other: two of them may be
// for one credential.
func (w *Watcher) ask(ctx context.Context, batch []*file) {
	for _, f := range batch {
		if ctx.Err() != nil {
			return
		}
		w.put(f.path, w.examine(ctx, f, true))
		w.note(func() { w.news.fresh = true }) // it may have changed meanwhile
	}
}

// report says what is new, in the log and to who wants to know. A file that is there and quiet is not.
func (w *Watcher) report(x finding) {
	if w.Changed != nil {
		w.Changed()
	}
	attrs := []any{"path", x.Path}
	if x.User != "" {
		attrs = append(attrs, "user", x.User)
	}
	if x.Credential != "" {
		attrs = append(attrs, "credential", x.Credential)
	}
	switch x.State {
	case ipc.WatchAbsorbed:
		w.Log.Info("static token absorbed", append(attrs, "what", x.Why)...)
	case ipc.WatchFound, ipc.WatchWaiting:
		if x.Why != asking {
			w.Log.Warn("static token left in its file", append(attrs, "why", x.Why)...)
		}
	case ipc.WatchUnreadable:
		w.Log.Warn("not read", append(attrs, "why", x.Why)...)
	}
}
