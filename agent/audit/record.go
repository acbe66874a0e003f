package audit

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cwagent/cwagent/agent"
)

// What the lines of this package are called, beside those of the agent's log.
const (
	Given   = "given out"
	Dropped = "records dropped"
)

// A Record is one line, as it is read.
type Record struct {
	Seq        uint64    `json:"seq"`
	Time       time.Time `json:"time"`
	Level      string    `json:"level"`
	Msg        string    `json:"msg"`
	Credential string    `json:"credential"`
	Server     string    `json:"server"`
	Caller     string    `json:"caller"` // kubectl get pods <- zsh <- tmux
	PID        int       `json:"pid"`    // of the first of them, of several the last one
	UID        uint32    `json:"uid"`
	Exe        string    `json:"exe"`
	Dir        string    `json:"cwd"`
	Times      uint64    `json:"times"` // 0: once
	Since      time.Time `json:"since"` // the first of these times
	Dropped    uint64    `json:"dropped"`

	line []byte
}

// Parse reads a line, which must not change as long as the record is used.
func Parse(line []byte) (Record, error) {
	r := Record{line: line}
	if err := json.Unmarshal(line, &r); err != nil {
		return Record{}, err
	}
	return r, nil
}

// String is the record for a person, in one line, without its time and its credential.
// What is in it is not made printable.
func (r Record) String() string {
	s := r.Msg
	if r.Msg == Given || r.Msg == agent.NotGivenOut {
		s += r.by(" to ", " to a process that has ended") + r.rest()
	} else {
		s += r.rest() + r.by(" by ", "")
	}
	if r.Dropped > 0 {
		s += fmt.Sprintf(": %d", r.Dropped)
	}
	switch {
	case r.Times == 1:
		s += ", once more"
	case r.Times > 1:
		s += fmt.Sprintf(", %d times", r.Times)
	}
	return s
}

// by is who asked; ended where only the pid is known.
func (r Record) by(word, ended string) string {
	if r.PID == 0 {
		return ""
	}
	s := ended
	if r.Caller != "" {
		s = word + r.Caller
	}
	if r.Dir == "" {
		return fmt.Sprintf("%s (pid %d)", s, r.PID)
	}
	return fmt.Sprintf("%s (pid %d in %s)", s, r.PID, r.Dir)
}

// ours are the names of what String shows in its own way, or not at all.
var ours = []string{"seq", "time", "level", "msg", "credential", "server", "caller", "pid", "uid", "exe", "cwd", "times", "since", "dropped"}

// rest is what else the agent's log has said.
func (r Record) rest() (s string) {
	var all map[string]any
	_ = json.Unmarshal(r.line, &all) // it has been read before
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if v := all[name]; v != "" && !slices.Contains(ours, name) {
			s += fmt.Sprintf(" %s=%v", name, v)
		}
	}
	return s
}

// The parts of a line as they are written.
type (
	head struct {
		Seq  uint64    `json:"seq"`
		Time time.Time `json:"time"`
	}
	given struct {
		Level      string `json:"level"`
		Msg        string `json:"msg"`
		Credential string `json:"credential"`
		Server     string `json:"server,omitempty"`
	}
	drops struct {
		Level   string `json:"level"`
		Msg     string `json:"msg"`
		Dropped uint64 `json:"dropped"`
	}
	asker struct {
		Caller string `json:"caller,omitempty"`
		PID    int    `json:"pid"`
		UID    uint32 `json:"uid"`
		Exe    string `json:"exe,omitempty"`
		Dir    string `json:"cwd,omitempty"`
	}
	sum struct {
		Times uint64    `json:"times"`
		Since time.Time `json:"since"`
	}
)

// record is the line of an entry.
func record(e entry, who *caller, pid int) line {
	l := line{time: e.use.At, body: e.body}
	if e.body == "" {
		l.body = encode(given{"INFO", Given, e.use.Credential, e.use.Server})
	}
	if pid != 0 {
		l.tail = encode(asker{who.words, pid, e.use.Peer.UID, who.exe, who.dir})
	}
	return l
}

func (l line) repeated(times uint64, since time.Time) line {
	s := encode(sum{times, since})
	if l.tail != "" {
		s = l.tail + "," + s
	}
	l.tail = s
	return l
}
