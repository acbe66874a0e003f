package metrics

import (
	"context"
	"os"
	"sync/atomic"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/atomicfile"
)

const (
	// interval is the least time between two writes: as often as Prometheus asks
	// node_exporter at most.
	interval = 15 * time.Second

	// later is when one that failed is tried again.
	later = time.Minute
)

// A Textfile is a file that node_exporter's textfile collector reads, mode 0644:
// that one runs as another user. It is written when there is something new, at most
// every 15 seconds; while nothing happens, nothing runs, so that its age says nothing.
// Therefore it goes when the agent does: what is left by one that was killed is
// replaced by the next, or seen in cwagent_start_time_seconds.
type Textfile struct {
	Measure func(ctx context.Context) (text []byte, until time.Time) // until when it is true at most; zero: for ever
	Alarm   func() Alarm                                             // a new one by the wall clock
	Now     func() time.Time                                         // the same clock
	Failed  func(path string, err error)                             // told of the first of several errors in a row
	GoesOn  func() bool                                              // whether the end of ctx is not that of the agent

	path  atomic.Pointer[string] // nil: there is to be none
	moved chan struct{}          // has room for one, as the other
	news  chan struct{}
}

// An Alarm can be closed.
type Alarm interface {
	agent.Alarm
	Close()
}

// NewTextfile returns one without a path.
func NewTextfile() *Textfile {
	return &Textfile{moved: make(chan struct{}, 1), news: make(chan struct{}, 1)}
}

// Set has it written at another path from now on, and the one before removed; empty:
// nowhere.
func (f *Textfile) Set(path string) {
	if path == "" {
		f.path.Store(nil)
	} else {
		f.path.Store(&path)
	}
	agent.Signal(f.moved)
}

// Note says that there is something new. It returns at once, and costs nothing where
// there is no file.
func (f *Textfile) Note() {
	if f.path.Load() != nil {
		agent.Signal(f.news)
	}
}

// Run writes it until ctx ends.
func (f *Textfile) Run(ctx context.Context) {
	var w writer
	defer func() {
		if !f.GoesOn() {
			w.remove()
		}
	}()
	for f.path.Load() == nil { // most agents have none, and need no alarm
		select {
		case <-ctx.Done():
			return
		case <-f.moved:
		}
	}
	alarm := f.Alarm()
	defer alarm.Close()
	for {
		alarm.Set(f.tend(ctx, &w))
		news := f.news
		if w.due {
			news = nil // more of it is nothing to wake up for
		}
		select {
		case <-ctx.Done():
			return
		case <-f.moved:
		case <-news:
			w.due = true
		case <-alarm.Rings():
			w.due = true
		}
	}
}

// A writer is a file as it is being written, again and again.
type writer struct {
	path   string    // empty: nowhere
	due    bool      // there is something new
	last   time.Time // when it was written, or that was tried
	failed bool      // the last time
	wrote  bool      // it is ours
	until  time.Time // when it will not be true any more; zero: never
}

// tend writes what is due, and returns when it wants to look again if there is
// nothing new before; zero: never.
func (f *Textfile) tend(ctx context.Context, w *writer) (next time.Time) {
	path := ""
	if p := f.path.Load(); p != nil {
		path = *p
	}
	if path != w.path {
		w.remove()
		*w = writer{path: path, due: true}
	}
	wait := interval
	if w.failed {
		wait = later
	}
	now := f.Now()
	switch {
	case w.path == "":
		return time.Time{}
	case !w.due:
		return w.until
	case now.Sub(w.last).Abs() < wait:
		return w.last.Add(wait)
	}
	select {
	case <-f.news: // what is new by now is in it
	default:
	}
	text, until := f.Measure(ctx)
	err := atomicfile.Write(w.path, text, atomicfile.Options{Mode: 0o644})
	if err != nil && !w.failed {
		f.Failed(w.path, err)
	}
	w.last, w.until = now, until
	w.due, w.failed = err != nil, err != nil
	if err != nil {
		return now.Add(later)
	}
	w.wrote = true
	return until
}

// remove takes away what was written.
func (w *writer) remove() {
	if w.wrote {
		_ = os.Remove(w.path) // or somebody else has
	}
}
