package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/cwagent/cwagent/packaging"
)

// A fakeLaunchctl is launchctl(1) as its manual has it, as far as we use it: bootout
// comes back before the agent is gone, and what remains of it is in the way of
// another one for a moment more.
type fakeLaunchctl struct {
	said    []string
	loaded  bool
	leaving int    // looks at it until it is gone
	remains int    // attempts that fail then
	fails   string // the verb that does, for the program
	plist   string
	program string
}

func (f *fakeLaunchctl) run(args ...string) (string, error) {
	f.said = append(f.said, strings.Join(args, " "))
	text, _ := os.ReadFile(f.plist)
	switch {
	case args[0] == f.fails && strings.Contains(string(text), f.program):
		return "", errors.New("Bootstrap failed: 5: Input/output error")
	case args[0] == "bootstrap" && f.loaded:
		return "", errors.New("Bootstrap failed: 37: Operation already in progress")
	case args[0] == "bootstrap" && f.remains > 0:
		f.remains--
		return "", errors.New("Bootstrap failed: 5: Input/output error")
	case args[0] != "bootstrap" && !f.loaded:
		return "", errors.New(`Could not find service "com.github.cwagent" in domain for port`)
	case args[0] == "bootout":
		f.leaving, f.remains = 3, 2
		return "", errors.New("Boot-out failed: 36: Operation now in progress")
	case args[0] == "print" && f.leaving > 0:
		f.leaving--
		f.loaded = f.leaving > 0
		fallthrough
	case args[0] == "print":
		return "com.github.cwagent = {\n\tstate = running\n\tpid = 4711\n}\n", nil
	}
	f.loaded = args[0] == "bootstrap" || args[0] == "kickstart"
	return "", nil
}

// verbs are what was said since the last call, without looks and second attempts.
func (f *fakeLaunchctl) verbs() []string {
	all := slices.DeleteFunc(f.said, func(s string) bool { return strings.HasPrefix(s, "print ") })
	f.said = nil
	return slices.Compact(all)
}

func newFakeLaunchd(t *testing.T) (*launchd, *fakeLaunchctl) {
	f := &fakeLaunchctl{}
	m := &launchd{t.TempDir(), "gui/501", f.run, f.run}
	f.plist = m.plist()
	return m, f
}

func TestLaunchd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testLaunchd)
}

func testLaunchd(t *testing.T) {
	m, f := newFakeLaunchd(t)
	wants := func(what string, err error, verbs ...string) {
		t.Helper()
		if got := f.verbs(); err != nil || !slices.Equal(got, verbs) {
			t.Errorf("%s: %v, %q, want %q", what, err, got, verbs)
		}
	}
	const target = "gui/501/com.github.cwagent"
	load := "bootstrap gui/501 " + m.plist()
	_, err := m.install("/usr/local/bin/cwagent")
	wants("install", err, load)
	_, err = m.install("/opt/cwagent & sons/cwagent")
	wants("install again", err, "bootout "+target, load)
	if s, err := m.state(); err != nil || !s.Installed || !s.Running || s.PID != 4711 {
		t.Errorf("%+v, %v", s, err)
	}
	f.said = nil
	wants("start", m.start(), "kickstart "+target)
	wants("restart", m.restart(), "kickstart -k "+target)
	wants("stop", m.stop(), "bootout "+target)
	wants("start after a stop", m.start(), load)
	text, err := os.ReadFile(m.plist())
	if err != nil || !strings.Contains(string(text), "<string>/opt/cwagent &amp; sons/cwagent</string>") ||
		!strings.Contains(string(text), "<string>"+m.home+"/Library/Logs/cwagent/agent.log</string>") {
		t.Errorf("%v\n%s", err, text)
	}
	_, err = m.uninstall()
	wants("uninstall", err, "bootout "+target)
	_, err = m.uninstall()
	wants("uninstall again", err)
	if s, err := m.state(); err != nil || s.Installed || s.Running {
		t.Errorf("%+v, %v", s, err)
	}
}

// One that launchd does not take leaves what was there before, as it was.
func TestLaunchdRefuses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testLaunchdRefuses)
}

func testLaunchdRefuses(t *testing.T) {
	m, f := newFakeLaunchd(t)
	f.fails, f.program = "bootstrap", "cwagent"
	if _, err := m.install("/usr/local/bin/cwagent"); err == nil || !strings.Contains(err.Error(), "Input/output error") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(m.plist()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("half an installation: %v", err)
	}
	f.fails = ""
	if _, err := m.install("/usr/local/bin/cwagent"); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(m.plist())
	f.fails, f.program = "bootstrap", "/other<"
	if _, err := m.install("/other"); err == nil {
		t.Error("no error")
	}
	if now, _ := os.ReadFile(m.plist()); string(now) != string(before) || !f.loaded {
		t.Errorf("loaded: %v\n%s", f.loaded, now)
	}
}

// Python's plistlib is a strict reader of property lists.
func TestPlist(t *testing.T) {
	t.Parallel()
	python, err := exec.LookPath("python3")
	if err != nil {
		lacking(t, "python3 is not installed")
	}
	path := filepath.Join(t.TempDir(), "p.plist")
	if err := os.WriteFile(path, []byte(packaging.Plist(`/a "b" <c>/cwagent`, "/l&g")), 0o600); err != nil {
		t.Fatal(err)
	}
	const script = `import plistlib, sys
p = plistlib.load(open(sys.argv[1], "rb"), fmt=plistlib.FMT_XML)
assert p["Label"] == "com.github.cwagent" and p["ProgramArguments"] == ['/a "b" <c>/cwagent', "agent"], p
assert p["RunAtLoad"] is True and p["KeepAlive"] is True and p["ProcessType"] == "Interactive" and p["LimitLoadToSessionType"] == "Aqua", p
assert p["StandardErrorPath"] == "/l&g" and "/opt/homebrew/bin" in p["EnvironmentVariables"]["PATH"] and p["Umask"] == 0o77, p`
	if out, err := exec.Command(python, "-c", script, path).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
