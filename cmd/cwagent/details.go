package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// printDetails shows one credential, a line for each thing known about it.
func printDetails(out io.Writer, cred ipc.Credential, now time.Time) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(key, value string) { fmt.Fprintf(w, "%s\t%s\n", key, value) }
	line("name", cred.Name)
	line("token", orDash(cred.ID))
	state := string(cred.State)
	if cred.Reason != "" {
		state += ": " + cred.Reason
	}
	line("state", state)
	line("expiry", expiryWords(cred.Expiry, cred.Expires)+leftWords(cred, now))
	if !cred.Added.IsZero() {
		line("added", cred.Added.Local().Format("2006-01-02 15:04:05 MST"))
	}
	line("identity", orDash(identityWords(cred.Identity)))
	line("verified", ago(cred.Verified, now))
	saved := yesNo(cred.Saved)
	if cred.Unsaved != "" {
		saved += ", tried again by itself: " + printable(cred.Unsaved)
	}
	line("saved", saved)
	line("source", sourceWords(cred, now))
	for _, t := range cred.Standby {
		line("standby", standbyWords(t))
	}
	for _, t := range cred.Retiring {
		line("retired", retiredWords(t, now))
	}
	for _, s := range cred.Servers {
		line("server", serverWords(s))
	}
	if cred.NoClusterInfo {
		line("server", "callers that do not say for which server")
	}
	w.Flush()
	printRefusal(out, cred, now)
}

// sourceWords say where the next token comes from, and when.
func sourceWords(cred ipc.Credential, now time.Time) string {
	words := cred.Source
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

// printRefusal shows the last request that the credential was not given out for.
func printRefusal(out io.Writer, cred ipc.Credential, now time.Time) {
	if r := cred.Refusal; r != nil {
		fmt.Fprintf(out, "\n%s: refused %s ago: %s\n  %s\n", cred.Name, span(now.Sub(r.At)), refusedServer(r), r.Hint)
	}
}

func refusedServer(r *ipc.Refusal) string {
	if r.Server == nil {
		return "the caller did not say for which server"
	}
	return "not bound to " + serverWords(*r.Server)
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
