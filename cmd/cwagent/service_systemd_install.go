package main

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/cwagent/cwagent/agent/atomicfile"
	"github.com/cwagent/cwagent/packaging"
)

func (m *systemd) install(program string) (did []string, err error) {
	unit, err := packaging.Service(program)
	if err != nil {
		return nil, fail("install it at another path", "service: %v", err)
	}
	if err := cmp.Or(m.mayRun(), m.mayWrite()); err != nil {
		return nil, err
	}
	putBack, err := remember(m.unit(packaging.ServiceUnit), m.unit(packaging.SocketUnit), m.socketLink(), m.serviceLink())
	if err != nil {
		return nil, err
	}
	if !m.reachable {
		if did, err = m.installLater(program, unit); err != nil {
			return nil, errors.Join(err, putBack())
		}
		return did, nil
	}
	ran := m.running()
	if did, err = m.installNow(program, unit); err != nil {
		return nil, errors.Join(err, m.back(putBack, ran))
	}
	return did, nil
}

// mayRun refuses what somebody wants never to run.
func (m *systemd) mayRun() error {
	for _, unit := range units {
		how := m.unmask(unit)
		if strings.Contains(how, "--global") {
			how += ", if the administrator of this machine agrees"
		}
		if how != "" {
			return fail(how, "service: %s is masked: it is not to run", unit)
		}
	}
	return nil
}

// unmask is the command that has the unit run again where somebody wants it never to
// run, and empty for any other. An own file would count more than most masks.
func (m *systemd) unmask(unit string) string {
	for _, place := range []struct{ dir, how string }{
		{m.dir, "--user"},
		{filepath.Join(cmp.Or(m.runtime, os.Getenv("XDG_RUNTIME_DIR")), "systemd", "user"), "--user --runtime"},
		{"/etc/systemd/user", "--global"},
		{"/run/systemd/user", "--global --runtime"},
	} {
		if isMask(filepath.Join(place.dir, unit)) {
			return "systemctl " + place.how + " unmask " + unit
		}
	}
	return ""
}

// mayWrite refuses to put a file in the place of a link of the person's own.
func (m *systemd) mayWrite() error {
	for _, unit := range units {
		if path := m.unit(unit); m.isOwnLink(path) {
			to, _ := os.Readlink(path)
			return fail("move it away, or go on with that: systemctl --user enable --now "+unit, "service: %s is a link of yours, to %s", path, to)
		}
	}
	return nil
}

// isOwnLink reports whether a unit of ours is a link: we and systemctl enable make files
// and other links only. It may lead nowhere just now.
func (m *systemd) isOwnLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && filepath.Dir(path) == m.dir && info.Mode()&fs.ModeSymlink != 0 && !isMask(path)
}

// isMask: mostly a link to /dev/null, but any empty file is one.
func isMask(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Size() == 0
}

func (m *systemd) installNow(program, unit string) (did []string, err error) {
	if did, err = m.putUnits(program, unit); err != nil {
		return nil, err
	}
	atLogin := packaging.ServiceUnit
	for _, step := range []func() error{
		func() error { return m.tell("daemon-reload") },
		func() error {
			err := m.tell("reenable", packaging.ServiceUnit, packaging.SocketUnit)
			if err == nil || gaveUp(err) != nil || !isPackaged(program) || !everybody() {
				return err
			}
			did = append(did, "it stays enabled for everybody only: "+err.Error()) // ~/.config may be read-only
			atLogin = packaging.SocketUnit
			return nil
		},
		m.listen,
		func() error { return m.tell("restart", packaging.ServiceUnit) },
	} {
		if err := step(); err != nil {
			return nil, orFail(err, "it is as it was before; journalctl --user -u cwagent.service -u cwagent.socket says more", "service")
		}
	}
	return append(did, "started, and at each login: "+atLogin), nil
}

// running are those of our units that run.
func (m *systemd) running() (units []string) {
	for _, unit := range []string{packaging.SocketUnit, packaging.ServiceUnit} {
		if _, err := m.ctl("is-active", unit); err == nil {
			units = append(units, unit)
		}
	}
	return units
}

// back undoes what has failed half-way: the same files are there, and the same units
// run. What fails here is less than what has failed already, and is not told.
func (m *systemd) back(putBack func() error, ran []string) error {
	try := func(args ...string) { _, _ = m.undo(args...) }
	for _, unit := range []string{packaging.ServiceUnit, packaging.SocketUnit} {
		if !slices.Contains(ran, unit) {
			try("stop", unit)
		}
	}
	err := putBack()
	try("daemon-reload")
	try("reset-failed", packaging.ServiceUnit, packaging.SocketUnit)
	for _, unit := range ran {
		try("start", unit)
	}
	return err
}

// isPackaged reports whether a package has installed units for that program.
func isPackaged(program string) bool {
	text, err := os.ReadFile(filepath.Join(packaged, packaging.ServiceUnit))
	return err == nil && strings.Contains(string(text), "ExecStart="+program+" ")
}

// putUnits sees to it that the units of the program are the ones that count: those of
// its package, where there are, which the person's own would hide also from the next
// version of the package; else the person's.
func (m *systemd) putUnits(program, unit string) (did []string, err error) {
	if !isPackaged(program) {
		return m.write(unit)
	}
	for _, name := range units {
		was, err := removed(m.unit(name))
		if err != nil {
			return did, fail("", "service: %v", err)
		}
		if was {
			did = append(did, "removed: "+m.unit(name))
		}
	}
	return append(did, "the units of the package are used: "+packaged), nil
}

// write puts both units there.
func (m *systemd) write(unit string) (did []string, err error) {
	if err := os.MkdirAll(m.dir, 0o755); err != nil {
		return nil, fail("", "service: %v", err)
	}
	for _, u := range []struct{ path, text string }{
		{m.unit(packaging.ServiceUnit), unit}, {m.unit(packaging.SocketUnit), packaging.Socket()},
	} {
		if err := atomicfile.Write(u.path, []byte(u.text), atomicfile.Options{Mode: 0o644}); err != nil {
			return nil, fail("", "service: write %s: %v", u.path, err)
		}
		did = append(did, "written: "+u.path)
	}
	return did, nil
}

// installLater is for a login without a user manager that answers, such as su's.
func (m *systemd) installLater(program, unit string) (did []string, err error) {
	if did, err = m.putUnits(program, unit); err != nil {
		return nil, err
	}
	if err := m.linkSocket(program); err != nil {
		return nil, fail("", "service: %v", err)
	}
	return append(did, "the user manager does not answer here; it starts the agent from the next login on, or at once, in a session of yours, with:",
		"  systemctl --user daemon-reload && systemctl --user start "+packaging.SocketUnit,
		"where there never is one: cwagent agent"), nil
}

// linkSocket has the socket made at login.
func (m *systemd) linkSocket(program string) error {
	unit := m.unit(packaging.SocketUnit)
	if isPackaged(program) {
		if everybody() {
			return remove(m.socketLink()) // it may lead to the person's own unit
		}
		unit = filepath.Join(packaged, packaging.SocketUnit)
	}
	err := errors.Join(os.MkdirAll(filepath.Dir(m.socketLink()), 0o755), remove(m.socketLink()))
	if err == nil {
		err = os.Symlink(unit, m.socketLink())
	}
	return err
}
