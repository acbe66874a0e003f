// Package audit keeps what the agent has done in the state folder: audit-HOST.jsonl,
// a JSON object a line, mode 0600, at most a few megabytes. It holds no secret: what
// is written is what the agent's log says, and that is redacted where it arises.
//
// Each machine has a file of its own: of machines that share a HOME none appends
// where another one writes, or moves away what another one writes to.
//
// Nobody ever waits for the disk: a record is queued, and one that finds the queue
// full is dropped. They are numbered from the start of each agent, so that a gap shows.
package audit

import (
	"bytes"
	"context"
	"io"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"gopkg.in/natefinch/lumberjack.v2"

	"github.com/cwagent/cwagent/agent/state"
)

const (
	maxSize = 4 // megabytes a file
	backups = 3
	room    = 1024 // records that wait for the disk
)

// Path returns where this machine's log of the state folder dir is.
func Path(dir string) string { return filepath.Join(dir, "audit-"+state.Host()+".jsonl") }

// A Log is a slog.Handler, whose records are written once Run runs. Make it with
// New.
type Log struct {
	slog.Handler
	*queue
}

// queue is what all handlers that are derived from one share.
type queue struct {
	lines  chan []byte
	number atomic.Uint64 // of the last record
}

// New returns a log that nobody writes yet.
func New() *Log {
	q := &queue{lines: make(chan []byte, room)}
	return &Log{slog.NewJSONHandler(line{q}, nil), q}
}

// Handle implements slog.Handler. It never waits, and it never fails.
func (l *Log) Handle(ctx context.Context, r slog.Record) error {
	r.AddAttrs(slog.Uint64("seq", l.number.Add(1)))
	return l.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (l *Log) WithAttrs(a []slog.Attr) slog.Handler { return &Log{l.Handler.WithAttrs(a), l.queue} }

// WithGroup implements slog.Handler.
func (l *Log) WithGroup(name string) slog.Handler { return &Log{l.Handler.WithGroup(name), l.queue} }

// line takes one record for each Write, as slog's handler does, and queues it.
type line struct{ *queue }

func (l line) Write(b []byte) (int, error) {
	select {
	case l.lines <- bytes.Clone(b):
	default: // its number is missing: that says it
	}
	return len(b), nil
}

// Run writes what is queued into the folder dir until ctx ends, and then what is
// left, as long as that takes no longer than a second. failed is told of the first
// of several errors in a row; what could not be written is gone.
func (l *Log) Run(ctx context.Context, dir string, failed func(error)) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		w := &lumberjack.Logger{Filename: Path(dir), MaxSize: maxSize, MaxBackups: backups}
		defer w.Close()
		broken := false
		for b := range l.until(ctx) {
			err := write(w, dir, b)
			if err != nil && !broken {
				failed(err)
			}
			broken = err != nil
		}
	}()
	<-ctx.Done()
	last := time.NewTimer(time.Second)
	defer last.Stop()
	select {
	case <-done:
	case <-last.C: // a disk that hangs keeps nobody from leaving
	}
}

// until yields what is queued until ctx ends, and then what is left.
func (q *queue) until(ctx context.Context) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for {
			select {
			case b := <-q.lines:
				if !yield(b) {
					return
				}
				continue
			default:
			}
			select {
			case b := <-q.lines:
				if !yield(b) {
					return
				}
			case <-ctx.Done():
				if len(q.lines) == 0 {
					return
				}
			}
		}
	}
}

// write makes the folder as every other part of the state has it, and writes into
// no other one.
func write(w io.Writer, dir string, b []byte) error {
	if err := state.Private(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	_, err := w.Write(b)
	return err
}
