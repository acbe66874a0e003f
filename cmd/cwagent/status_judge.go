package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cwagent/cwagent/agent/config"
	"github.com/cwagent/cwagent/ipc"
)

// the exit codes of status; the worst credential wins
const (
	exitDue  = 1
	exitDead = 2
)

// A judge says how a credential is, as an exit code.
type judge func(c ipc.Credential, now time.Time) int

// A fault is a credential that is not well.
type fault struct {
	cred ipc.Credential
	code int
}

// of judges all: the worst wins. An agent that is locked gives none out.
func (j judge) of(s ipc.Status, now time.Time) (worst int, faults []fault) {
	if s.Agent.Locked != nil {
		worst = exitDead
	}
	for _, cred := range s.Credentials {
		code := j(cred, now)
		if s.Agent.Locked != nil {
			code = exitDead
		}
		if code != 0 {
			faults = append(faults, fault{cred, code})
		}
		worst = max(worst, code)
	}
	return worst, faults
}

// judge returns how the flags want credentials to be judged.
func (f statusFlags) judge() (judge, error) {
	if f.warn+f.crit == "" {
		return byState, nil
	}
	var l limits
	for _, x := range []struct {
		flag, text string
		d          *time.Duration
	}{{"--warn", f.warn, &l.warn}, {"--crit", f.crit, &l.crit}} {
		ok := x.text == ""
		if !ok {
			*x.d, ok = config.ParseDuration(x.text)
		}
		if !ok {
			return nil, fail("3d, 8h, 30m", "%s %s: not understood", x.flag, x.text)
		}
	}
	if f.warn != "" && l.crit > l.warn {
		return nil, fail("--warn comes first: --warn 3d --crit 1d", "--crit %s: more than --warn %s", f.crit, f.warn)
	}
	return l.judge, nil
}

func byState(c ipc.Credential, _ time.Time) int {
	switch {
	case c.State == ipc.StateDue, c.State == ipc.StateValid && !c.Saved:
		return exitDue
	case c.State == ipc.StateValid:
		return 0
	}
	return exitDead
}

// limits are for how long a credential has to last for a monitor to be content.
type limits struct{ warn, crit time.Duration }

// judge goes by the time that is left.
func (l limits) judge(c ipc.Credential, now time.Time) int {
	left, known := lasts(c, now)
	switch {
	case c.State != ipc.StateValid && c.State != ipc.StateDue, known && left <= l.crit:
		return exitDead
	case known && left <= l.warn, c.State == ipc.StateDue && unattended(c):
		return exitDue
	}
	return 0
}

// unattended reports whether the next token comes without a person.
func unattended(c ipc.Credential) bool { return c.Source != "console" && c.Source != "standby" }

// lasts is how long a credential does with the tokens that a person has given it.
func lasts(c ipc.Credential, now time.Time) (left time.Duration, known bool) {
	if unattended(c) || c.Expiry != ipc.ExpiryKnown || c.Expires == nil {
		return 0, false
	}
	end := *c.Expires
	for _, t := range c.Standby {
		switch {
		case t.Refused != "":
		case t.Expiry != ipc.ExpiryKnown || t.Expires == nil:
			return 0, false
		case t.Expires.After(end):
			end = *t.Expires
		}
	}
	return end.Sub(now), true
}

// printFaults begins with the line that monitors show, and mark what it is about in
// their own way. Of a list of names only those are left that it is about; what is for
// programs has all.
func (c *cli) printFaults(s ipc.Status, format string, code int, faults []fault) ipc.Status {
	switch format {
	case "name":
		s.Credentials = nil
		for _, f := range faults {
			s.Credentials = append(s.Credentials, f.cred)
		}
	case "table", "wide":
		fmt.Fprintln(c.out, faultLine(s, code, faults, c.now()))
	}
	return s
}

// faultLine is a line as the plugins of Nagios write it, the worst first.
func faultLine(s ipc.Status, code int, faults []fault, now time.Time) string {
	head := []string{"OK", "WARNING", "CRITICAL"}[code] + ": "
	switch {
	case s.Agent.Locked != nil:
		return head + "the agent is locked"
	case code == 0:
		words, _ := statusLine(s, now)
		return head + words
	}
	slices.SortStableFunc(faults, func(a, b fault) int { return cmp.Compare(b.code, a.code) })
	var words []string
	for _, f := range faults {
		words = append(words, faultWords(f.cred, now))
	}
	return head + strings.Join(words, ", ")
}

func faultWords(c ipc.Credential, now time.Time) string {
	left, known := lasts(c, now)
	switch {
	case c.State != ipc.StateValid && c.State != ipc.StateDue, !known:
		return printable(c.Name) + " " + printable(string(c.State))
	}
	return printable(c.Name) + " " + largest(left)
}
