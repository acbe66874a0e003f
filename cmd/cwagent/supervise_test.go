package main

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

func TestStatusLine(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.Local)
	cred := func(s ipc.State, ends time.Duration) ipc.Credential {
		at := now.Add(ends)
		return ipc.Credential{State: s, Expires: &at}
	}
	for want, creds := range map[string][]ipc.Credential{
		"0 credentials":                              nil,
		"1 credential":                               {{State: ipc.StateValid}},
		"2 credentials, next expiry 18:40":           {cred(ipc.StateValid, 6*time.Hour+40*time.Minute), cred(ipc.StateValid, 7*time.Hour)},
		"1 credential, next expiry 2026-12-24 12:00": {cred(ipc.StateValid, 30*24*time.Hour)},
		"3 credentials, next expiry 13:00, 1 due, 1 expired, 1 locked": {
			cred(ipc.StateDue, time.Hour), cred(ipc.StateExpired, -time.Hour), {State: ipc.StateLocked},
		},
	} {
		if got := statusLine(ipc.Status{Credentials: creds}, now); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// journald gets a level it understands, and no second time of day.
func TestLogHandler(t *testing.T) {
	t.Parallel()
	var level slog.LevelVar
	for _, tt := range []struct {
		format  string
		journal bool
		want    string
	}{
		{"text", true, "<4>msg=\"a b\" credential=prod n=1\n<3>msg=c credential=prod\n"},
		{"json", true, "<4>{\"msg\":\"a b\",\"credential\":\"prod\",\"n\":1}\n<3>{\"msg\":\"c\",\"credential\":\"prod\"}\n"},
		{"json", false, "\"level\":\"WARN\",\"msg\":\"a b\",\"credential\":\"prod\",\"n\":1}\n"},
		{"text", false, " level=WARN msg=\"a b\" credential=prod n=1\n"},
	} {
		var out bytes.Buffer
		log := slog.New(newLogHandler(&out, tt.format, tt.journal, &level)).With("credential", "prod")
		log.Warn("a b", "n", 1)
		log.Debug("no")
		log.Error("c")
		if got := out.String(); tt.journal && got != tt.want || !strings.Contains(got, tt.want) {
			t.Errorf("%s, journal %v: %q", tt.format, tt.journal, got)
		}
	}
}
