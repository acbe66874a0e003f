package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/cwagent/cwagent/agent/atomicfile"
	"github.com/cwagent/cwagent/packaging"
)

// launchd is macOS's manager of a person's agents. kardianos/service speaks its old
// verbs (load, unload), which are deprecated since macOS 10.11; these are the ones of
// launchctl(1) today.
type launchd struct {
	home   string
	domain string                               // gui/501
	ctl    func(args ...string) (string, error) // launchctl
	undo   func(args ...string) (string, error) // the same, for what puts things back
}

func newLaunchd(ctx context.Context, home string, uid int) (manager, error) {
	p, undo := newPatience(ctx, doesNotAnswer("log out and in again", "launchd"))
	of := func(p patience) func(args ...string) (string, error) {
		return func(args ...string) (string, error) { return p.output([]string{"launchctl"}, args...) }
	}
	m := &launchd{home, "gui/" + strconv.Itoa(uid), of(p), of(undo)}
	_, err := m.ctl("print", m.target())
	return m, gaveUp(err)
}

func (m *launchd) name() string { return "launchd" }

func (*launchd) takesOver() bool { return false }

func (m *launchd) plist() string {
	return filepath.Join(m.home, "Library", "LaunchAgents", packaging.LaunchdLabel+".plist")
}

func (m *launchd) target() string { return m.domain + "/" + packaging.LaunchdLabel }

func (m *launchd) loaded() bool {
	_, err := m.ctl("print", m.target())
	return err == nil
}

func (m *launchd) install(program string) (did []string, err error) {
	logs := filepath.Join(m.home, "Library", "Logs", "cwagent")
	if err := errors.Join(os.MkdirAll(logs, 0o700), os.MkdirAll(filepath.Dir(m.plist()), 0o755)); err != nil {
		return nil, fail("", "service: %v", err)
	}
	putBack, err := remember(m.plist())
	if err != nil {
		return nil, err
	}
	text := packaging.Plist(program, filepath.Join(logs, "agent.log"))
	if err := atomicfile.Write(m.plist(), []byte(text), atomicfile.Options{Mode: 0o644}); err != nil {
		return nil, fail("", "service: write %s: %v", m.plist(), err)
	}
	ran := m.loaded() // and keeps the list that it was loaded with
	if ran {
		err = m.unload()
	}
	if err == nil {
		err = m.load()
	}
	if err == nil {
		return []string{"written: " + m.plist(), "started, and at each login: " + packaging.LaunchdLabel}, nil
	}
	m.ctl = m.undo
	undone := putBack()
	if ran && !m.loaded() {
		undone = errors.Join(undone, m.load())
	}
	return nil, errors.Join(orFail(err, "it can be loaded in a graphical session of yours only; it is as it was before", "service: launchctl"), undone)
}

// bootWait is how long launchd may take to boot an agent out, and between two
// attempts to boot one in.
const (
	bootWait  = 10 * time.Second
	bootAgain = 200 * time.Millisecond
)

// unload boots the agent out, and waits until launchd is done with it: bootout comes
// back before, sometimes with "36: Operation now in progress".
func (m *launchd) unload() error {
	_, err := m.ctl("bootout", m.target())
	if gaveUp(err) != nil {
		return gaveUp(err)
	}
	for end := time.Now().Add(bootWait); m.loaded(); time.Sleep(bootAgain) {
		if time.Now().After(end) {
			return cmp.Or(err, errors.New("bootout: launchd does not let it go"))
		}
	}
	return nil
}

// load boots the agent in. What remains of one that has just been booted out makes
// that fail with 5 or 37 for a moment.
func (m *launchd) load() error {
	for try := 1; ; try++ {
		_, err := m.ctl("bootstrap", m.domain, m.plist())
		if err == nil || gaveUp(err) != nil || try == 5 {
			return err
		}
		time.Sleep(bootAgain)
	}
}

func (m *launchd) uninstall() (did []string, err error) {
	if m.loaded() {
		if err := m.unload(); err != nil {
			return nil, orFail(err, "launchctl print "+m.target()+" says more", "service: launchctl bootout")
		}
		did = append(did, "stopped: "+packaging.LaunchdLabel)
	}
	was, err := removed(m.plist())
	if was {
		did = append(did, "removed: "+m.plist())
	}
	return did, err
}

// start loads the agent, which launchd then starts and keeps.
func (m *launchd) start() error {
	if m.loaded() {
		return m.verb("kickstart", m.target())
	}
	return m.failed("bootstrap", m.load())
}

// stop unloads it: launchd would start it again otherwise.
func (m *launchd) stop() error {
	if !m.loaded() {
		return m.verb("bootout", m.target()) // launchd knows best what to say
	}
	return m.failed("bootout", m.unload())
}

func (m *launchd) restart() error { return m.verb("kickstart", "-k", m.target()) }

func (m *launchd) verb(args ...string) error {
	_, err := m.ctl(args...)
	return m.failed(args[0], err)
}

func (m *launchd) failed(verb string, err error) error {
	return orFail(err, "cwagent service install, if it is not installed", "service: launchctl "+verb)
}

var launchdPID = regexp.MustCompile(`(?m)^\s*pid = (\d+)$`)

func (m *launchd) state() (serviceState, error) {
	s := serviceState{Manager: m.name(), Files: []string{}}
	if _, err := os.Stat(m.plist()); err == nil {
		s.Installed, s.Files = true, []string{m.plist()}
	}
	out, err := m.ctl("print", m.target())
	s.Enabled = err == nil
	if pid := launchdPID.FindStringSubmatch(out); err == nil && pid != nil {
		s.Running = true
		if s.PID, err = strconv.Atoi(pid[1]); err != nil {
			return s, fmt.Errorf("launchctl print: %w", err)
		}
	}
	return s, nil
}
