package main

import (
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// A real terminal for scripts is tmux: it draws what it is told, knows how it looks then,
// and can be given another size.

// cmdTerminal opens one with a shell in it: terminal 100x24. $TERMINAL is what leads to
// it.
func cmdTerminal(ts *testscript.TestScript, neg bool, args []string) {
	width, height, ok := strings.Cut(strings.Join(args, " "), "x")
	if neg || !ok {
		ts.Fatalf("usage: terminal WIDTHxHEIGHT")
	}
	socket := filepath.Join(ts.Getenv("XDG_RUNTIME_DIR"), "tmux")
	ts.Setenv("TERMINAL", "tmux -u -S "+socket)
	ts.Setenv("LC_ALL", "C.UTF-8")
	ts.Check(ts.Exec("tmux", "-u", "-S", socket, "-f", "/dev/null", "new-session", "-d", "-x", width, "-y", height, "sh", "-m"))
	ts.Defer(func() { exec.Command("tmux", "-S", socket, "kill-server").Run() })
}

// cmdKeys types: keys 'cwagent status' Enter.
func cmdKeys(ts *testscript.TestScript, neg bool, args []string) {
	tmux(ts, append([]string{"send-keys"}, args...)...)
}

// cmdShows waits until a line of the terminal matches, or with ! until none does.
func cmdShows(ts *testscript.TestScript, neg bool, args []string) {
	line := regexp.MustCompile(args[0])
	shown := ""
	until(ts, func() bool {
		shown = tmux(ts, "capture-pane", "-p")
		for l := range strings.Lines(shown) {
			if line.MatchString(strings.TrimRight(l, " \n")) {
				return !neg
			}
		}
		return neg
	}, func() string { return shown })
}

// cmdIs waits until the terminal says so of itself: is '#{alternate_on}' 1.
func cmdIs(ts *testscript.TestScript, neg bool, args []string) {
	said := ""
	until(ts, func() bool {
		said = strings.TrimSpace(tmux(ts, "display-message", "-p", args[0]))
		return said == args[1]
	}, func() string { return said })
}

func tmux(ts *testscript.TestScript, args ...string) string {
	leads := strings.Fields(ts.Getenv("TERMINAL"))
	c := exec.Command(leads[0], append(leads[1:], args...)...)
	c.Env = environ(ts)
	out, err := c.CombinedOutput()
	if err != nil {
		ts.Fatalf("tmux %q: %v: %s", args, err, out)
	}
	return string(out)
}

// until looks ten times a second, for ten seconds at most.
func until(ts *testscript.TestScript, done func() bool, what func() string) {
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(10 * time.Second); !done(); <-again.C {
		if time.Now().After(deadline) {
			ts.Fatalf("it is still:\n%s", what())
		}
	}
}
