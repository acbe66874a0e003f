// Package audit keeps what the agent has done, and who was given what: JSON objects, a
// line each, in audit-HOST.jsonl of the state folder, mode 0600, at most 16 MB with
// what was moved away; and in the journal of systemd where there is one. It holds no
// secret: what is written is what the agent's log says, which is redacted where it
// arises, and of a caller's arguments what [peer.Look] shows.
//
// Each machine has a file of its own: of machines that share a HOME none appends
// where another one writes, or moves away what another one writes to.
//
// Nobody ever waits for the disk. A record is queued, and one that finds the queue
// full, or that the disk does not take, is counted as dropped; how many they were is a
// record, as soon as there is room again. Who asked is looked up behind the queue, too:
// of a caller that has ended by then the pid is all that is known.
//
// Repeats are folded where they are written, so that the file stays small. The first
// token that a caller is given, and the first that it is refused, stands there at once;
// so do object storage keys.
// Those that the same chain of programs gets for the same credential after that are
// summed, and the sum is written a minute later. So 100,000 fetches are 100,000 in
// the file, sums and drops added, after an agent that left in order; one that is
// killed loses the sums of its last minute. While nothing is asked, nothing runs.
//
// Lines are numbered from the start of each agent: a gap shows that some were taken
// away.
package audit

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/state"
	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/peer"
)

// room is how many records wait for the disk: a second of the most that a machine
// asks for.
const room = 1024

// Path returns where this machine's log of the state folder dir is.
func Path(dir string) string { return filepath.Join(dir, "audit-"+state.Host()+".jsonl") }

// A Log is a slog.Handler and an agent.Audit, whose records are written once Run runs.
// Make it with New.
type Log struct {
	slog.Handler // into said
	*queue
}

var _ agent.Audit = (*Log)(nil)

// queue is what all handlers that are derived from one share.
type queue struct {
	entries chan entry
	dropped atomic.Uint64 // that no record speaks of yet
	lost    atomic.Uint64 // of all that were dropped
	trouble atomic.Pointer[string]
	since   atomic.Int64 // when the entry was taken that is being written, Unix nanoseconds; 0: none is

	said struct { // what a handler has just made of a record
		mu sync.Mutex
		bytes.Buffer
	}

	mu   sync.Mutex
	uses map[string]ipc.Use // by credential
}

// An entry is what waits in the queue: a use, or what the log says in body.
type entry struct {
	use  agent.Use
	body string        // a JSON object without its braces; empty: it is a use
	plug bool          // a plugin asked, and whoever runs that is told of
	fold bool          // programs ask for it again and again
	seen *peer.Program // what the one who asked runs; nil: nobody has looked
}

// New returns a log that nobody writes yet.
func New() *Log {
	q := &queue{entries: make(chan entry, room), uses: map[string]ipc.Use{}}
	o := &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && a.Key == slog.TimeKey {
			return slog.Attr{} // which is that of the line
		}
		return a
	}}
	return &Log{slog.NewJSONHandler(&q.said, o), q}
}

// Handle implements slog.Handler. It never waits for the disk. Who asked is what ctx
// carries.
func (l *Log) Handle(ctx context.Context, r slog.Record) error {
	l.said.mu.Lock()
	l.said.Reset()
	err := l.Handler.Handle(ctx, r)
	body := strings.TrimSpace(l.said.String())
	l.said.mu.Unlock()
	if err != nil {
		return err
	}
	e := entry{use: agent.Use{At: r.Time}, body: strings.TrimSuffix(strings.TrimPrefix(body, "{"), "}")}
	e.use.Peer, _ = peer.FromContext(ctx)
	e.plug = r.Message == agent.NotGivenOut
	e.fold = e.plug || r.Message == agent.KeysGivenOut || r.Message == agent.KeysNotGivenOut
	if !e.plug && e.use.Peer.Start != 0 {
		// It waits for an answer now, and is gone when it has got that. kubectl stays.
		if prog, err := peer.Look(e.use.Peer.Process); err == nil {
			e.seen = &prog
		}
	}
	l.put(e)
	return nil
}

// WithAttrs implements slog.Handler.
func (l *Log) WithAttrs(a []slog.Attr) slog.Handler { return &Log{l.Handler.WithAttrs(a), l.queue} }

// WithGroup implements slog.Handler.
func (l *Log) WithGroup(name string) slog.Handler { return &Log{l.Handler.WithGroup(name), l.queue} }

// Given implements agent.Audit.
func (q *queue) Given(u agent.Use) { q.put(entry{use: u, plug: true, fold: true}) }

func (q *queue) put(e entry) {
	select {
	case q.entries <- e:
	default:
		q.drop(1)
	}
}

func (q *queue) drop(n uint64) {
	q.dropped.Add(n)
	q.lost.Add(n)
}

// LastUse implements agent.Audit.
func (q *queue) LastUse(credential string) *ipc.Use {
	q.mu.Lock()
	defer q.mu.Unlock()
	u, ok := q.uses[credential]
	if !ok {
		return nil
	}
	return &u
}

func (q *queue) used(credential string, u ipc.Use) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.uses[credential] = u
}

// slow is how long a record may take until it is said to hang.
const slow = 5 * time.Second

// Trouble implements agent.Audit.
func (q *queue) Trouble() *ipc.AuditInfo {
	i := ipc.AuditInfo{Dropped: q.lost.Load()}
	if why := q.trouble.Load(); why != nil {
		i.Trouble = *why
	} else if ns := q.since.Load(); ns != 0 && time.Since(time.Unix(0, ns)) > slow {
		i.Trouble = "the last record has not been taken for " + time.Since(time.Unix(0, ns)).Truncate(time.Second).String()
	}
	if i == (ipc.AuditInfo{}) {
		return nil
	}
	return &i
}
