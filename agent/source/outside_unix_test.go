//go:build unix

package source

import (
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
)

// The service manager is told neither the program nor its variables.
func TestOutsideUnit(t *testing.T) {
	t.Parallel()
	argv, _ := (&Outside{Helper: []string{"/a $b/cwagent", "source-exec"}}).unit(time.Minute)
	if !slices.Equal(argv[len(argv)-3:], []string{"--", "/a $b/cwagent", "source-exec"}) || slices.Contains(argv, "--setenv") {
		t.Errorf("%q", argv)
	}
}

// What is to run comes through as it is.
func TestHelp(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		script string
		exit   int
		want   string
	}{
		{`printf '%s|' "$0" "$@" "$X"; env | grep -c ^HOME`, 1, "$$|${X}||% \xff\n|$HOME|0\n"},
		{`cat; exit 255`, 255, ""},
		{`kill -TERM $$`, 128 + 15, ""},
		{`kill -KILL $$`, 128 + 9, ""},
		{`echo half; kill -HUP $$`, 128 + 1, "half\n"},
	} {
		var stdout, stderr strings.Builder
		j := job{[]string{"/bin/sh", "-c", tt.script, "$$", "${X}", "", "% \xff\n"}, []string{"X=$HOME", "PATH=" + defaultPath}}
		exit, err := Help(strings.NewReader(j.encode()), &stdout, &stderr)
		if err != nil || exit != tt.exit || stdout.String() != tt.want || stderr.String() != "" {
			t.Errorf("%s: %d, %v, %q, %q", tt.script, exit, err, &stdout, &stderr)
		}
	}
	var stderr strings.Builder
	if exit, err := Help(strings.NewReader("1\x00/nowhere"), nil, &stderr); exit != 126 || err != nil || stderr.String() != "no such program\n" {
		t.Errorf("%d, %v, %q", exit, err, &stderr)
	}
	for _, bad := range []string{"", "x", "0\x00/bin/true", "-1\x00/bin/true", "2\x00/bin/true", "\x00"} {
		if exit, err := Help(strings.NewReader(bad), nil, nil); err == nil {
			t.Errorf("%q: %d", bad, exit)
		}
	}
}

func TestSignalOf(t *testing.T) {
	t.Parallel()
	for exit, want := range map[int]syscall.Signal{1: 0, 127: 0, 128: 0, 129: syscall.SIGHUP, 137: syscall.SIGKILL, 159: 31, 160: 0, 255: 0} {
		if got, ok := signalOf(exit); ok != (want != 0) || ok && got != want {
			t.Errorf("%d: %v, %v", exit, got, ok)
		}
	}
}

func TestStartableNUL(t *testing.T) {
	t.Parallel()
	if err := startable([]string{"/bin/sh", "a\x00b"}); err != syscall.EINVAL {
		t.Error(err)
	}
}

// The bus is one that answers: a socket that is left over is none.
func TestBusAnswers(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("unix", dir+"/bus")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.WriteFile(dir+"/file", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_RUNTIME_DIR", dir)
	for address, want := range map[string]bool{
		"":                                    true,
		"unix:path=" + dir + "/bus,guid=1":    true,
		"unix:path=" + dir + "/%62us":         true,
		"unix:path=" + dir + "/gone":          false,
		"unix:path=" + dir + "/file,guid=1":   false,
		"unix:path=/x;unix:abstract=/y":       true,
		"unix:path=/x;unix:path=" + dir + "/": false,
	} {
		t.Setenv("DBUS_SESSION_BUS_ADDRESS", address)
		if busAnswers() != want {
			t.Errorf("%s: %v", address, !want)
		}
	}
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	l.Close()
	if busAnswers() {
		t.Error("nobody listens, and it answers")
	}
	c := Command{Argv: []string{"/bin/sh", "-c", "kill -TERM $$"}, Outside: &Outside{Helper: []string{"/nowhere"}}}
	for script, want := range map[string]string{"kill -TERM $$": "signal: terminated", "exit 3": "exit code 3"} {
		c.Argv[2] = script
		var e *agent.SourceError
		if _, err := c.Next(t.Context(), agent.Occasion{}); !errors.As(err, &e) || !strings.Contains(e.Why, want) || !strings.Contains(e.Hint, "without a session bus") {
			t.Errorf("%s: %v", script, err)
		}
	}
}
