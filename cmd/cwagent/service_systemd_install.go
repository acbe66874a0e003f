package main

import (
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
	if err := m.mayRun(); err != nil {
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
		if m.masked(unit) {
			return fail(unmask(unit)+", or with --global, if the administrator of this machine agrees", "service: %s is masked: it is not to run", unit)
		}
	}
	return nil
}

func unmask(units ...string) string { return "systemctl --user unmask " + strings.Join(units, " ") }

// masked reports whether somebody wants the unit never to run. An own file would count
// more than the mask of an administrator.
func (m *systemd) masked(unit string) bool {
	return isMask(m.unit(unit)) || isMask(filepath.Join("/etc/systemd/user", unit))
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
	for _, step := range []func() error{
		func() error { return m.tell("daemon-reload") },
		func() error { return m.tell("reenable", packaging.ServiceUnit, packaging.SocketUnit) },
		m.listen,
		func() error { return m.tell("restart", packaging.ServiceUnit) },
	} {
		if err := step(); err != nil {
			return nil, orFail(err, "it is as it was before; journalctl --user -u cwagent.service -u cwagent.socket says more", "service")
		}
	}
	return append(did, "started, and at each login: "+packaging.ServiceUnit), nil
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
		err := os.Remove(m.unit(name))
		if err == nil {
			did = append(did, "removed: "+m.unit(name))
		} else if !errors.Is(err, fs.ErrNotExist) {
			return did, fail("", "service: %v", err)
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
		if _, err := os.Lstat(forEverybody); err == nil {
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
