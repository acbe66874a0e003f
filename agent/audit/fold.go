package audit

import (
	"time"
)

const (
	foldFor  = time.Minute // for which repeats are summed
	mostFold = 256         // matters that are kept apart in that time
)

// A matter is what is told once a minute, however often it happens. Pids are not in it:
// of a loop of kubectls each has another one.
type matter struct{ body, credential, server, words, exe, dir string }

// A repeat is how often a matter has come up since it was written last.
type repeat struct {
	entry // the last one
	who   *caller
	pid   int
	first time.Time
	times uint64
}

// repeated reports whether e is a repeat, which it then has added.
func (w *writer) repeated(e entry, who *caller, pid int) bool {
	m := matter{e.body, e.use.Credential, e.use.Server, who.words, who.exe, who.dir}
	r := w.repeats[m]
	if r == nil {
		if len(w.repeats) >= mostFold {
			w.flush()
			clear(w.repeats)
		}
		w.repeats[m] = &repeat{}
		return false
	}
	if r.times++; r.times == 1 {
		r.first = e.use.At
	}
	r.entry, r.who, r.pid = e, who, pid
	return true
}

// flush writes the sums, and forgets what has not come up again.
func (w *writer) flush() {
	for m, r := range w.repeats {
		if r.times == 0 {
			delete(w.repeats, m)
			continue
		}
		w.write(record(r.entry, r.who, r.pid).repeated(r.times, r.first), r.times)
		*r = repeat{}
	}
	w.writeDrops()
}

// owing reports whether there is something to flush.
func (w *writer) owing() bool { return len(w.repeats) > 0 || w.dropped.Load() > 0 }
