package server

import (
	"log/slog"
	"time"
)

const (
	mostConns = 1024             // a peer that opens more is no plugin
	fewConns  = 16               // even where descriptors are very short
	complain  = 10 * time.Second // between two lines about a shortage
)

// connsFor returns how many connections there may be for a process that may
// have n descriptors. Half: a connection takes two while its peer is being
// looked at, and the keyring and the network need some.
func connsFor(n uint64) int {
	return int(min(mostConns, max(fewConns, n/2)))
}

// A shortage says that accept fails, once in a while: there may be a thousand
// failures in a second.
type shortage struct {
	log  *slog.Logger
	last time.Time
	n    int // failures that no line has told of
}

func (s *shortage) note(err error, now time.Time) {
	s.n++
	if age := now.Sub(s.last); age >= 0 && age < complain {
		return
	}
	s.log.Warn("accept", "error", err, "times", s.n)
	s.last, s.n = now, 0
}
