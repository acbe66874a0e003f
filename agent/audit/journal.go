package audit

import (
	"bytes"
	"strconv"
	"sync"

	"github.com/coreos/go-systemd/v22/journal"
)

// Identifier is what the journal calls the lines of this package:
//
//	journalctl --user -t cwagent-audit CWAGENT_CREDENTIAL=prod
const Identifier = "cwagent-audit"

// A copier gives the lines to systemd's journal, too, as fields that can be looked
// for. It has a queue of its own and drops what finds that full, which the file has:
// a journal that hangs holds up nothing else.
type copier struct {
	enabled func() bool
	send    func(message string, p journal.Priority, fields map[string]string) error

	lines chan []byte // nil: there is no journal
	done  sync.WaitGroup
}

func (c *copier) open() {
	if !c.enabled() {
		return
	}
	c.lines = make(chan []byte, room/4)
	c.done.Go(func() {
		for b := range c.lines {
			if r, err := Parse(b); err == nil {
				_ = c.send(r.String(), priority(r.Level), fields(r, b)) // the file has it
			}
		}
	})
}

func (c *copier) close() {
	if c.lines != nil {
		close(c.lines)
		c.done.Wait()
	}
}

// add gives a line to the journal, if there is one and it has room.
func (c *copier) add(b []byte) {
	select {
	case c.lines <- bytes.TrimSpace(bytes.Clone(b)):
	default:
	}
}

func priority(level string) journal.Priority {
	switch level {
	case "ERROR":
		return journal.PriErr
	case "WARN":
		return journal.PriWarning
	}
	return journal.PriInfo
}

func fields(r Record, b []byte) map[string]string {
	all := map[string]string{
		"SYSLOG_IDENTIFIER": Identifier, "CWAGENT_EVENT": r.Msg, "CWAGENT_RECORD": string(b),
		"CWAGENT_CREDENTIAL": r.Credential, "CWAGENT_SERVER": r.Server, "CWAGENT_CALLER": r.Caller, "CWAGENT_EXE": r.Exe, "CWAGENT_CWD": r.Dir,
	}
	for name, n := range map[string]uint64{"CWAGENT_SEQ": r.Seq, "CWAGENT_PID": uint64(r.PID), "CWAGENT_TIMES": r.Times, "CWAGENT_DROPPED": r.Dropped} {
		if n > 0 {
			all[name] = strconv.FormatUint(n, 10)
		}
	}
	for name, value := range all {
		if value == "" {
			delete(all, name)
		}
	}
	return all
}
