package main

import (
	"fmt"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// details are all that is known about one credential, a line for each thing, and what
// there is to do about it.
func (v view) details(s ipc.Status, cred ipc.Credential) string {
	p := paint(v.color)
	var lines []string
	line := func(key, value string, b brush) {
		lines = append(lines, v.wrap(fmt.Sprintf("%-10s", key), value, b)...)
	}
	line("name", printable(cred.Name), p.strong)
	line("token", orDash(printable(cred.ID)), nil)
	state := printable(string(cred.State))
	if cred.Reason != "" {
		state += ": " + printableLine(cred.Reason)
	}
	line("state", state, p.of(cred.State))
	if cred.Hint != "" {
		line("", printableLine(cred.Hint), nil)
	}
	line("expiry", expiryWords(cred.Expiry, cred.Expires)+leftWords(cred, v.now), nil)
	if bar := v.bar(cred); bar != "" {
		line("lifetime", bar, p.of(cred.State))
	}
	if !cred.Added.IsZero() {
		line("added", cred.Added.Local().Format("2006-01-02 15:04:05 MST"), nil)
	}
	line("identity", orDash(identityWords(cred.Identity)), nil)
	line("verified", ago(cred.Verified, v.now), nil)
	if u := cred.LastUse; u != nil {
		line("used", v.useWords(u), nil)
	}
	saved := yesNo(cred.Saved)
	if cred.Unsaved != "" {
		saved += ", tried again by itself: " + printable(cred.Unsaved)
	}
	line("saved", saved, nil)
	line("source", sourceWords(cred, v.now), nil)
	for _, t := range cred.Standby {
		line("standby", standbyWords(t), nil)
	}
	for _, t := range cred.Retiring {
		line("retired", retiredWords(t, v.now), nil)
	}
	for _, s := range cred.Servers {
		line("server", serverWords(s), nil)
	}
	if cred.NoClusterInfo {
		line("server", "callers that do not say for which server", nil)
	}
	cred.Reason, cred.Renewal, cred.Unsaved, cred.Saved = "", nil, "", true // that stands above
	s.Credentials = []ipc.Credential{cred}
	s.Watched = watchedOf(s.Watched, cred.Name)
	return v.fit(lines, nil, v.tasks(s))
}

// useWords say when a token was used last and by which processes.
func (v view) useWords(u *ipc.Use) string {
	words := ago(&u.At, v.now)
	if u.Caller != "" {
		words += " by " + printable(u.Caller)
	}
	if u.PID != 0 {
		words += fmt.Sprintf(", pid %d", u.PID)
	}
	return words
}

// sourceWords say where the next token comes from, and when.
func sourceWords(cred ipc.Credential, now time.Time) string {
	words := printable(cred.Source)
	r := cred.Renewal
	if r == nil {
		return words
	}
	if r.Next != nil {
		words += ", next in " + span(r.Next.Sub(now))
	}
	if r.Error != "" && r.Since != nil {
		words += fmt.Sprintf("; none since %s (%s): %s", r.Since.Local().Format("2006-01-02 15:04:05"), r.Class, printable(r.Error))
	}
	return words
}

func standbyWords(t ipc.Standby) string {
	words := t.ID
	if words == "" {
		words = t.Label
	}
	words += ", " + expiryWords(t.Expiry, t.Expires)
	if !t.Saved {
		words += ", in memory only"
	}
	if t.Refused != "" {
		words += ", refused: " + printable(t.Refused)
	}
	return words
}

func retiredWords(t ipc.Retiring, now time.Time) string {
	words := tokenWords(t) + ", gave way " + ago(&t.Since, now) + ", " + livesWords(t)
	if t.Delete {
		words += ": delete it in the Console"
	}
	return words
}

func leftWords(cred ipc.Credential, now time.Time) string {
	if cred.Expiry != ipc.ExpiryKnown || cred.Expires == nil || !cred.Expires.After(now) {
		return ""
	}
	return ", in " + span(cred.Expires.Sub(now))
}

// ago says how long ago something was, if it ever was.
func ago(t *time.Time, now time.Time) string {
	if t == nil {
		return "never"
	}
	return span(now.Sub(*t)) + " ago"
}

// leftOf says how long a token still lives.
func leftOf(e ipc.Expiry, expires *time.Time, now time.Time) string {
	switch {
	case e == ipc.ExpiryKnown && expires != nil:
		return span(expires.Sub(now))
	case e == ipc.ExpiryNever:
		return "never ends"
	}
	return "unknown"
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
