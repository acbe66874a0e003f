package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/journal"
	"gopkg.in/natefinch/lumberjack.v2"

	"github.com/cwagent/cwagent/agent/state"
	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/peer"
)

const (
	maxSize = 4 // megabytes a file
	backups = 3
)

// Run writes what is queued into the folder dir until ctx ends, and then what is
// left, as long as that takes no longer than a second. failed is told of the first
// of several errors in a row.
func (l *Log) Run(ctx context.Context, dir string, failed func(error)) {
	done := make(chan struct{})
	w := newWriter(l.queue, dir, failed)
	go func() { defer close(done); w.run(ctx) }()
	<-ctx.Done()
	last := time.NewTimer(time.Second)
	defer last.Stop()
	select {
	case <-done:
	case <-last.C: // a disk that hangs keeps nobody from leaving
	}
}

// A writer is one call of Run.
type writer struct {
	*queue
	dir     string
	file    io.WriteCloser // opened anew by the first Write after Close
	failed  func(error)
	broken  bool // the last write failed
	torn    bool // and has left a part of a line
	seq     uint64
	callers callers
	repeats map[matter]*repeat
	journal copier
}

func newWriter(q *queue, dir string, failed func(error)) *writer {
	return &writer{
		queue: q, dir: dir, failed: failed,
		file:    &lumberjack.Logger{Filename: Path(dir), MaxSize: maxSize, MaxBackups: backups},
		callers: callers{map[peer.Process]*caller{}, peer.Look},
		repeats: map[matter]*repeat{},
		journal: copier{enabled: journal.Enabled, send: journal.Send},
	}
}

func (w *writer) run(ctx context.Context) {
	w.journal.open()
	defer w.journal.close()
	defer w.file.Close()
	tick := time.NewTimer(time.Hour)
	defer tick.Stop()
	tick.Stop()
	for armed := false; ; {
		select {
		case e := <-w.entries:
			w.take(e)
		case <-tick.C:
			armed = false
			w.flush()
		case <-ctx.Done():
			for len(w.entries) > 0 {
				w.take(<-w.entries)
			}
			w.flush()
			return
		}
		if w.owing() && !armed {
			tick.Reset(foldFor)
			armed = true
		}
	}
}

// take writes an entry, or adds it to what it repeats.
func (w *writer) take(e entry) {
	// Who asks for a token is a plugin, which somebody has started to ask; everybody
	// else asks for themselves.
	p := e.use.Peer.Process
	if e.plug && e.use.Peer.Parent.PID != 0 {
		p = e.use.Peer.Parent // it cannot be seen where the plugin has ended
	}
	w.since.Store(time.Now().UnixNano())
	defer w.since.Store(0)
	who := &caller{}
	switch {
	case e.seen != nil:
		who = w.callers.keep(p, *e.seen, deepest)
	case p.PID != 0:
		who = w.callers.of(p)
	}
	if e.body == "" {
		w.used(e.use.Credential, ipc.Use{At: e.use.At, Caller: who.words, PID: p.PID})
	}
	if !e.fold || !w.repeated(e, who, p.PID) {
		w.write(record(e, who, p.PID), 1)
	}
	if !w.broken && len(w.entries) < room/2 {
		w.writeDrops()
	}
}

// writeDrops says how many records were dropped since that was said last.
func (w *writer) writeDrops() {
	if n := w.dropped.Swap(0); n > 0 {
		w.lost.Add(-n) // or they would count twice if this is not written
		if w.write(line{time: time.Now(), body: encode(drops{"WARN", Dropped, n})}, n) {
			w.lost.Add(n)
		}
	}
}

// write writes a line that speaks of n fetches or other doings, and counts them as
// dropped where that fails.
func (w *writer) write(l line, n uint64) bool {
	b := l.encode(w.seq + 1)
	w.journal.add(b)
	if w.torn {
		b = append([]byte("\n"), b...)
	}
	taken, err := w.append(b)
	if err == nil {
		w.seq++
		w.broken, w.torn = false, false
		w.trouble.Store(nil)
		return true
	}
	w.torn = w.torn || taken > 0
	w.drop(n)
	why := err.Error()
	w.trouble.Store(&why)
	if !w.broken {
		w.failed(err)
	}
	w.broken = true
	w.file.Close() // the next one looks for the file anew
	return false
}

// append makes the folder as every other part of the state has it, and writes into
// no other one.
func (w *writer) append(b []byte) (int, error) {
	if err := state.Private(w.dir); err != nil {
		return 0, err
	}
	if err := os.MkdirAll(w.dir, 0o700); err != nil {
		return 0, err
	}
	if _, err := os.Lstat(Path(w.dir)); errors.Is(err, fs.ErrNotExist) {
		w.file.Close() // somebody has removed it
	}
	return w.file.Write(b)
}

// A line is what is written, but for its number. Body and tail are JSON objects
// without braces, or empty.
type line struct {
	time       time.Time
	body, tail string
}

func (l line) encode(seq uint64) []byte {
	b := []byte("{" + encode(head{seq, l.time}))
	for _, part := range []string{l.body, l.tail} {
		if part != "" {
			b = append(append(b, ','), part...)
		}
	}
	return append(b, "}\n"...)
}

// encode returns v, a struct, as JSON without its braces.
func encode(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // "<-" is read by people
	if err := enc.Encode(v); err != nil {
		return "" // none of ours
	}
	s := bytes.TrimSpace(b.Bytes())
	return string(s[1 : len(s)-1])
}
