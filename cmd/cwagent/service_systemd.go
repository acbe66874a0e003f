package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/kardianos/service"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/packaging"
)

// packaged is where packages put the units of user managers.
const packaged = "/usr/lib/systemd/user"

// units are the names of ours.
var units = []string{packaging.ServiceUnit, packaging.SocketUnit}

// forEverybody is the link by which a package has the socket at each login.
const forEverybody = "/etc/systemd/user/sockets.target.wants/" + packaging.SocketUnit

// systemd is a person's own service manager. The unit of the agent is kardianos's to
// start and stop. Installing it is not: it would write into ~/.config wherever the
// manager looks, leave half of it where that fails, and it does not know sockets.
type systemd struct {
	dir       string // of the person's own units
	runtime   string // the manager's XDG_RUNTIME_DIR, where we have none: su and the like forget it
	reachable bool   // whether the user manager answers: without a session there is none
	service   service.Service
	patience  patience
	ctl       func(args ...string) (string, error) // systemctl --user
	undo      func(args ...string) (string, error) // the same, for what puts things back
}

func newSystemd(ctx context.Context, home string, getenv func(string) string) (_ manager, err error) {
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return nil, fail("run it in the foreground: cwagent agent", "service: systemd does not run here")
	}
	m := &systemd{}
	if ipc.RuntimeDir(getenv) == "" {
		m.runtime = "/run/user/" + strconv.Itoa(os.Getuid())
	}
	systemctl := []string{"systemctl", "--user"}
	if m.runtime != "" {
		systemctl = append([]string{"env", "XDG_RUNTIME_DIR=" + m.runtime}, systemctl...)
	}
	deaf := doesNotAnswer(fmt.Sprintf("log out everywhere and in again; or, as root: systemctl restart user@%d.service", os.Getuid()), "the user manager")
	p, undo := newPatience(ctx, deaf)
	m.patience = p
	m.ctl = func(args ...string) (string, error) { return p.output(systemctl, args...) }
	m.undo = func(args ...string) (string, error) { return undo.output(systemctl, args...) }
	paths, err := m.ctl("show", "--property=UnitPath", "--value")
	if gaveUp(err) != nil {
		return nil, gaveUp(err)
	}
	m.reachable = err == nil
	if m.dir = unitDir(paths); m.dir == "" {
		m.dir = filepath.Join(home, ".config", "systemd", "user")
	}
	m.service, err = service.New(nil, &service.Config{
		Name: serviceName, Option: service.KeyValue{"UserService": true},
	})
	return m, err
}

// there does what talks to the user manager, which kardianos finds by our environment.
// Nobody else's socket is to be another one for it.
func (m *systemd) there(do func()) {
	if m.runtime != "" {
		was, is := os.LookupEnv("XDG_RUNTIME_DIR")
		os.Setenv("XDG_RUNTIME_DIR", m.runtime)
		defer func() {
			if os.Unsetenv("XDG_RUNTIME_DIR"); is {
				os.Setenv("XDG_RUNTIME_DIR", was)
			}
		}()
	}
	do()
}

func (m *systemd) name() string { return "systemd, user manager" }

func (*systemd) takesOver() bool { return true }

func (m *systemd) unit(name string) string { return filepath.Join(m.dir, name) }

// What starts them at login.
func (m *systemd) socketLink() string {
	return filepath.Join(m.dir, "sockets.target.wants", packaging.SocketUnit)
}

func (m *systemd) serviceLink() string {
	return filepath.Join(m.dir, "default.target.wants", packaging.ServiceUnit)
}

// unitDir is the folder of a person's own units, of the paths where the manager looks
// for units: its XDG_CONFIG_HOME is what counts, and may not be that of a shell. First
// comes its neighbour, "/home/me/.config/systemd/user.control", in quotes if need be.
func unitDir(paths string) string {
	config, _, ok := strings.Cut(paths, "/systemd/user.control")
	config = strings.TrimPrefix(config, `"`)
	if !ok || !filepath.IsAbs(config) || strings.Contains(config, `\`) {
		return ""
	}
	return filepath.Join(config, "systemd", "user")
}

func (m *systemd) uninstall() (did []string, err error) {
	again := everybody() && m.unmask(packaging.SocketUnit) == ""
	if m.reachable {
		if did, err = m.disable(again); err != nil {
			return nil, err
		}
	}
	for _, path := range []string{m.unit(packaging.ServiceUnit), m.unit(packaging.SocketUnit), m.socketLink(), m.serviceLink()} {
		if isMask(path) || m.isOwnLink(path) {
			continue // somebody's own
		}
		was, err := removed(path)
		if err != nil {
			return did, err
		}
		if was {
			did = append(did, "removed: "+path)
		}
	}
	_, _ = m.ctl("daemon-reload")
	if again {
		did = append(did, "a package has it enabled for everybody: the next kubectl starts it again, unless you mask it:",
			"  systemctl --user mask --now "+packaging.SocketUnit+" "+packaging.ServiceUnit)
	}
	return did, nil
}

// disable stops what runs, and has it at no login any more, unless a package has it there
// again.
// It leaves a unit alone that is a link of the person's own, which systemctl would
// remove.
func (m *systemd) disable(again bool) (did []string, err error) {
	units := slices.DeleteFunc(slices.Clone(units), func(unit string) bool { return m.isOwnLink(m.unit(unit)) })
	if len(units) == 0 {
		return nil, nil
	}
	ran := len(m.running()) > 0
	_, here := os.Lstat(m.socketLink())
	_, err = m.ctl(append([]string{"disable", "--now"}, units...)...)
	switch {
	case err != nil:
		return nil, gaveUp(err)
	case ran && again:
		return []string{"stopped: " + packaging.ServiceUnit}, nil
	case ran:
		return []string{"stopped, and not at login any more: " + packaging.ServiceUnit}, nil
	case here == nil && !again:
		return []string{"not at login any more: " + packaging.ServiceUnit}, nil
	}
	return nil, nil
}

// everybody reports whether a package has the socket at each login of everybody.
func everybody() bool {
	_, err := os.Lstat(forEverybody)
	return err == nil
}

func (m *systemd) start() error {
	return m.order("start", m.mayRun, m.listen, m.by(m.service.Start))
}

func (m *systemd) restart() error {
	return m.order("restart", m.mayRun, m.listen, m.by(m.service.Restart))
}

func (m *systemd) stop() error { return m.order("stop", m.by(m.service.Stop)) }

// by has kardianos do something, which knows no limit.
func (m *systemd) by(do func() error) func() error {
	return func() error {
		return m.patience(orderWait, func(context.Context) (err error) {
			m.there(func() { err = do() })
			return err
		})
	}
}

// order takes the steps of a verb.
func (m *systemd) order(verb string, steps ...func() error) error {
	if !m.reachable {
		return fail("in a session of yours it does; without one: cwagent agent", "service: %s: the user manager does not answer here", verb)
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return m.failed(verb, err)
		}
	}
	return nil
}

// listen starts the socket; anew where its path does not lead to it any more.
func (m *systemd) listen() error {
	verb := "start"
	at, err := m.ctl("show", "--property=Listen", "--value", packaging.SocketUnit)
	if err == nil && !managerListens(strings.TrimSuffix(strings.TrimSpace(at), " (Stream)")) {
		verb = "restart"
	}
	return m.tell(verb, packaging.SocketUnit)
}

// tell is for an order of which only the failure counts.
func (m *systemd) tell(args ...string) error {
	if _, err := m.ctl(args...); err != nil {
		return fmt.Errorf("systemctl %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

func (m *systemd) failed(what string, err error) error {
	if hasCode(err, ipc.CodeInvalid) {
		return err // in our own words
	}
	return orFail(err, "cwagent service install, if it is not installed; systemctl --user status cwagent.service says more", "service: "+what)
}

func (m *systemd) state() (serviceState, error) {
	s := serviceState{Manager: m.name(), Files: []string{}, silent: !m.reachable}
	for _, name := range units {
		for _, dir := range []string{m.dir, "/etc/systemd/user", packaged} {
			path := filepath.Join(dir, name)
			if _, err := os.Stat(path); err == nil && !isMask(path) {
				s.Files = append(s.Files, path)
				break
			}
		}
		if how := m.unmask(name); how != "" {
			s.Masked, s.unmask = append(s.Masked, name), append(s.unmask, how)
		}
	}
	s.Installed = len(s.Files) == 2
	if !s.Installed || !m.reachable {
		return s, nil
	}
	enabled, _ := m.ctl("is-enabled", packaging.SocketUnit) // its exit code says the same
	s.Enabled = strings.HasPrefix(enabled, "enabled")
	s.Running = m.patience(lookWait, func(context.Context) error {
		var status service.Status
		var err error
		if m.there(func() { status, err = m.service.Status() }); err == nil && status != service.StatusRunning {
			err = errors.New("it does not run")
		}
		return err
	}) == nil
	if pid, err := m.ctl("show", "--property=MainPID", "--value", packaging.ServiceUnit); err == nil && s.Running {
		s.PID, _ = strconv.Atoi(strings.TrimSpace(pid))
	}
	return s, nil
}
