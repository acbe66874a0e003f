package main

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/cwagent/cwagent/agent/audit"
	"github.com/cwagent/cwagent/ipc"
)

// A logLine is a line of cwagent log, and the time for which it stands.
type logLine struct {
	at   time.Time
	text string
}

// lines are those of an item: it, and before it what is missing; none if nobody wants
// to see it.
func (l *logView) lines(host string, i audit.Item, at time.Time) (all []logLine) {
	if at.Before(l.from) {
		return nil
	}
	if i.Missing > 0 {
		verb := " are missing"
		if i.Missing == 1 {
			verb = " is missing"
		}
		all = append(all, logLine{at, l.note(host, at, records(i.Missing)+verb, i.Missing)})
	}
	switch {
	case i.Damaged:
		all = append(all, logLine{at, l.note(host, at, "a damaged line is left out", 0)})
	case l.name != "" && i.Record.Credential != l.name && i.Record.Dropped == 0:
	case l.format == "json":
		all = append(all, logLine{at, `{"machine":` + quoted(host) + "," + string(i.Line[1:]) + "\n"})
	default:
		all = append(all, logLine{at, l.row(host, at, i.Record.Credential, i.Record.String()+since(i.Record))})
	}
	return all
}

func records(n uint64) string {
	if n == 1 {
		return "1 record"
	}
	return fmt.Sprintf("%d records", n)
}

// note says what is wrong with the log at that place.
func (l *logView) note(host string, at time.Time, words string, missing uint64) string {
	if l.format != "json" {
		return l.row(host, at, "", words)
	}
	n := ""
	if missing > 0 {
		n = fmt.Sprintf(`,"missing":%d`, missing)
	}
	return fmt.Sprintf(`{"machine":%s,"msg":%s%s}`+"\n", quoted(host), quoted(words), n)
}

func (l *logView) row(host string, at time.Time, credential, words string) string {
	if len(l.readers) > 1 {
		words = fmt.Sprintf("%-12s  %s", host, words)
	}
	if credential == "" {
		credential = "-"
	}
	when := "                   "
	if !at.IsZero() {
		when = at.Local().Format(time.DateTime)
	}
	return escaped(fmt.Sprintf("%s  %-12s  %s", when, credential, words)) + "\n"
}

// since says from when on it was that often.
func since(r audit.Record) string {
	if r.Times < 2 {
		return ""
	}
	return " since " + r.Since.Local().Format(time.TimeOnly)
}

// escaped shows what a terminal would obey, or not show: the name of a program or a
// folder may be anything.
func escaped(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
		} else {
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
	}
	return b.String()
}

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""` // a string always can be
	}
	return string(b)
}

// sayNothing is for who would see nothing at all.
func (l *logView) sayNothing() {
	words := "nothing is recorded"
	if l.name != "" {
		words += " of " + printable(l.name)
	}
	if l.since != "" {
		words += " in the last " + l.since
	}
	fmt.Fprintln(l.out, words)
	l.out.Flush()
}

// wrapAudit says in the status what is wrong with what log shows, if something is.
func (v view) wrapAudit(a *ipc.AuditInfo, b brush) []string {
	if a == nil {
		return nil
	}
	words := records(a.Dropped) + " dropped since the agent began"
	if a.Trouble != "" {
		words = "not written: " + printable(a.Trouble) + "; " + words
	}
	return v.wrap("log    ", words, b)
}
