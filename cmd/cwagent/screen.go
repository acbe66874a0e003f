package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// A view is all that a picture of the status depends on beside the status itself, so
// that the same status at the same time is the same bytes.
type view struct {
	now     time.Time
	version string // of this program
	width   int    // of the terminal, in cells; 0: lines are as long as they get
	height  int    // of a picture that is drawn over and over, in lines; 0: it is as long as it gets
	color   bool
	utf8    bool // else it is ASCII, as far as names are
	wide    bool // more columns, of any width
	one     bool // of the agent's credentials
}

// The width of what stands before the lines of the head: "agent  ".
const margin = 7

// draw is how the agent, its store and its credentials are, and below what there is to
// do, the most urgent first.
func (v view) draw(s ipc.Status) string {
	head := v.head(s)
	var rows, foot []string
	if len(s.Credentials) > 0 {
		rows = append([]string{""}, v.table(s.Credentials)...)
	}
	foot = v.tasks(s)
	return v.fit(head, rows, foot)
}

// head says how the agent and its store are.
func (v view) head(s ipc.Status) (lines []string) {
	p := paint(v.color)
	say := func(key, text string) { lines = append(lines, v.wrap(fmt.Sprintf("%-*s", margin, key), text, nil)...) }
	warn := func(text string) { lines = append(lines, v.wrap(strings.Repeat(" ", margin), text, p.bad)...) }
	a := s.Agent
	say("agent", fmt.Sprintf("%s, pid %d, up %s since %s, started %s", printable(a.Version), a.PID, span(v.now.Sub(a.Started)),
		a.Started.Local().Format("2006-01-02 15:04"), cmp.Or(howStarted[a.Start], "by nobody knows whom")))
	if words := anotherVersion(a, v.version); words != "" {
		warn(words)
	}
	if a.Locked != nil {
		how := "cwagent unlock"
		if a.Guarded {
			how += " asks for the passphrase"
		}
		warn("locked for " + span(v.now.Sub(*a.Locked)) + ": " + how)
	}
	say("store", printable(s.Store.Kind)+" ("+printableLine(s.Store.Why)+")")
	if s.Store.Plaintext {
		warn("it has no password: what is in it lies on disk in clear")
	}
	switch {
	case s.Store.Silent != nil:
		silence := &agent.Silence{Since: *s.Store.Silent}
		warn("the " + printable(s.Store.Kind) + " " + silence.Words())
	case s.Store.Trouble != "":
		warn("it gives nothing " + printableLine(s.Store.Trouble))
	}
	lines = append(lines, v.wrapAudit(s.Audit, p.bad)...)
	if s.Config != "" {
		lines = append(lines, v.wrap("config ", printable(strings.TrimPrefix(s.Config, "config ")), p.bad)...)
	}
	if len(s.Credentials) == 0 {
		return append(lines, v.wrap("", "no credentials yet: cwagent import FILE, or cwagent add NAME", nil)...)
	}
	if !v.one {
		summary, _ := statusLine(s, v.now)
		say("holds", summary)
	}
	return lines
}

// anotherVersion says so where the agent has another version than the program.
func anotherVersion(a ipc.AgentInfo, program string) string {
	switch {
	case a.Version == program:
		return ""
	case a.Start == ipc.StartManager:
		return "this program is " + program + "; the agent is that, too, after: cwagent service restart"
	}
	return "this program is " + program + "; the agent is that, too, once it is ended and started again"
}

// fit joins the parts. A picture of limited height shows of what there is to do as
// much as leaves the table a third of the room.
func (v view) fit(head, rows, foot []string) string {
	if v.height > 0 {
		room := max(v.height-len(head), 0)
		foot = v.first(foot, max(room-len(rows), room-max(room/3, 3)))
		rows = v.first(rows, room-len(foot))
		head = head[:min(len(head), v.height)]
	}
	lines := append(append(head, rows...), foot...)
	return strings.Join(lines, "\n") + "\n"
}

// first are at most n lines, the last of which says how many there are not.
func (v view) first(lines []string, n int) []string {
	if len(lines) <= n {
		return lines
	}
	if n <= 0 {
		return nil
	}
	return append(lines[:n-1:n-1], v.cut(fmt.Sprintf("%s %d more", v.ellipsis(), len(lines)-n+1)))
}
