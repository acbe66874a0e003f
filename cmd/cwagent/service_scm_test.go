package main

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/kardianos/service"

	"github.com/cwagent/cwagent/ipc"
)

// A fakeService is a service of Windows as kardianos/service shows it.
type fakeService struct {
	service.Service
	said      []string
	installed bool
	running   bool
	program   string
	fails     string // the verb that does
}

func (f *fakeService) do(verb string, effect func()) error {
	f.said = append(f.said, verb)
	if f.fails == verb {
		return errors.New("Access is denied.")
	}
	effect()
	return nil
}

func (f *fakeService) Install() error {
	if f.installed {
		return errors.New("service cwagent already exists")
	}
	return f.do("install "+f.program, func() { f.installed = true })
}

func (f *fakeService) Uninstall() error {
	return f.do("uninstall", func() { f.installed, f.running = false, false })
}
func (f *fakeService) Start() error   { return f.do("start", func() { f.running = true }) }
func (f *fakeService) Stop() error    { return f.do("stop", func() { f.running = false }) }
func (f *fakeService) Restart() error { return f.do("restart", func() { f.running = true }) }

func (f *fakeService) Status() (service.Status, error) {
	switch {
	case f.fails == "status":
		return service.StatusUnknown, errors.New("Access is denied.")
	case !f.installed:
		return service.StatusUnknown, service.ErrNotInstalled
	case f.running:
		return service.StatusRunning, nil
	}
	return service.StatusStopped, nil
}

func (f *fakeService) took() []string { said := f.said; f.said = nil; return said }

func newFakeSCM() (*scm, *fakeService) {
	f := &fakeService{}
	return &scm{
		account: `PC\jane`, password: func() (ipc.Secret, error) { return ipc.NewSecret("s3cr3t"), nil },
		service: func(program string, _ ipc.Secret) (service.Service, error) { f.program = program; return f, nil },
	}, f
}

// Installing twice restarts, what cannot be started leaves nothing, and what is not
// there is taken away without a word.
func TestSCM(t *testing.T) {
	t.Parallel()
	m, f := newFakeSCM()
	did, err := m.uninstall()
	if err != nil || len(did)+len(f.took()) != 0 {
		t.Errorf("uninstalled nothing: %q, %v", did, err)
	}
	if did, err = m.install("one"); err != nil || len(did) != 1 || !strings.Contains(did[0], `as PC\jane`) {
		t.Errorf("install: %q, %v", did, err)
	}
	if got := f.took(); !slices.Equal(got, []string{"install one", "start"}) {
		t.Errorf("install: %q", got)
	}
	if did, err = m.install("one"); err != nil || did[0] != "restarted: cwagent" {
		t.Errorf("upgrade: %q, %v", did, err)
	}
	if got := f.took(); !slices.Equal(got, []string{"restart"}) {
		t.Errorf("upgrade: %q", got)
	}
	s, err := m.state()
	if err != nil || !s.Installed || !s.Enabled || !s.Running {
		t.Errorf("%+v, %v", s, err)
	}
	if err := errors.Join(m.stop(), m.start(), m.restart()); err != nil {
		t.Error(err)
	}
	if got := f.took(); !slices.Equal(got, []string{"stop", "start", "restart"}) {
		t.Errorf("%q", got)
	}
	if did, err = m.uninstall(); err != nil || len(did) != 1 || f.installed {
		t.Errorf("uninstall: %q, %v", did, err)
	}
	f.fails = "start"
	if _, err = m.install("three"); err == nil || f.installed {
		t.Errorf("it cannot be started, and stays: %v", err)
	}
	if s, err := m.state(); err != nil || s.Installed {
		t.Errorf("%+v, %v", s, err)
	}
	f.fails = "status"
	if _, err := m.state(); err == nil || !strings.Contains(err.Error(), "service: status: Access is denied.") {
		t.Error(err)
	}
}
