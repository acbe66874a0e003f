package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cwagent/cwagent/packaging"
)

// A fakeLaunchctl is launchctl(1) as its manual has it, as far as we use it.
type fakeLaunchctl struct {
	said   []string
	loaded bool
	fails  string // the verb that does
}

func (f *fakeLaunchctl) run(args ...string) (string, error) {
	f.said = append(f.said, strings.Join(args, " "))
	switch {
	case args[0] == f.fails:
		return "", errors.New("Bootstrap failed: 5: Input/output error")
	case args[0] == "bootstrap" && f.loaded:
		return "", errors.New("Bootstrap failed: 37: Operation already in progress")
	case args[0] != "bootstrap" && !f.loaded:
		return "", errors.New(`Could not find service "com.github.cwagent" in domain for port`)
	case args[0] == "print":
		return "com.github.cwagent = {\n\tstate = running\n\tpid = 4711\n}\n", nil
	}
	f.loaded = args[0] == "bootstrap" || args[0] == "kickstart"
	return "", nil
}

// verbs are what was said since the last call, without looks.
func (f *fakeLaunchctl) verbs() (all []string) {
	for _, s := range f.said {
		if !strings.HasPrefix(s, "print ") {
			all = append(all, s)
		}
	}
	f.said = nil
	return all
}

func newFakeLaunchd(t *testing.T) (*launchd, *fakeLaunchctl) {
	f := &fakeLaunchctl{}
	return &launchd{t.TempDir(), "gui/501", f.run}, f
}

func TestLaunchd(t *testing.T) {
	t.Parallel()
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

// One that launchd does not take leaves what was there before.
func TestLaunchdRefuses(t *testing.T) {
	t.Parallel()
	m, f := newFakeLaunchd(t)
	f.fails = "bootstrap"
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
	f.fails = "bootstrap"
	if _, err := m.install("/other"); err == nil {
		t.Error("no error")
	}
	if now, _ := os.ReadFile(m.plist()); string(now) != string(before) {
		t.Errorf("%s", now)
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
