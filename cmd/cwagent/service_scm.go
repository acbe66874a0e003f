package main

import (
	"context"
	"errors"
	"fmt"
	"os/user"

	"github.com/kardianos/service"

	"github.com/cwagent/cwagent/ipc"
)

// scm is the service control manager of Windows, by kardianos/service. The tokens are
// in the Credential Manager of a person, so the service runs as that person and starts
// with the machine: Windows wants the password of the account for it. It was compiled
// and tried against a stand-in, and has not been run.
type scm struct {
	account  string // MACHINE\name
	password func() (ipc.Secret, error)
	service  func(program string, password ipc.Secret) (service.Service, error)
}

func (c *cli) newSCM(ctx context.Context) (manager, error) {
	me, err := user.Current()
	if err != nil {
		return nil, fail("", "service: %v", err)
	}
	m := &scm{account: me.Username}
	m.password = func() (ipc.Secret, error) {
		return c.readSecret(ctx, "password of "+me.Username+" in Windows")
	}
	m.service = func(program string, password ipc.Secret) (service.Service, error) {
		return service.New(nil, &service.Config{
			Name: serviceName, DisplayName: "cwagent", Description: "Holds CoreWeave Kubernetes tokens",
			Executable: program, Arguments: []string{"agent"}, UserName: me.Username,
			Option: service.KeyValue{"Password": password.Reveal(), "OnFailure": "restart", "OnFailureDelayDuration": "1s"},
		})
	}
	return m, nil
}

func (*scm) name() string { return "Windows service manager" }

func (*scm) takesOver() bool { return false }

// installed reports whether there is a service of ours; any other error than that it
// is not there is one of the service manager.
func (m *scm) installed() (s service.Service, is bool, err error) {
	s, err = m.service("", ipc.Secret{})
	if err != nil {
		return nil, false, err
	}
	_, err = s.Status()
	if errors.Is(err, service.ErrNotInstalled) {
		return s, false, nil
	}
	return s, err == nil, err
}

// install leaves a service alone that is there, but for a restart: to make it anew would
// take its password, and with a wrong one there would be none any more.
func (m *scm) install(program string) (did []string, err error) {
	old, is, err := m.installed()
	if err == nil && is {
		err = old.Restart()
	}
	if err != nil {
		return nil, m.failed("install", err)
	}
	if is {
		return []string{"restarted: " + serviceName, "it was installed already; if the program has moved: cwagent service uninstall, before this"}, nil
	}
	password, err := m.password()
	if err != nil {
		return nil, err
	}
	s, err := m.service(program, password)
	if err == nil {
		err = s.Install()
	}
	if err != nil {
		return nil, m.failed("install", err)
	}
	if err := s.Start(); err != nil {
		return nil, m.failed("start", errors.Join(err, s.Uninstall()))
	}
	return []string{fmt.Sprintf("installed and started, with the machine, as %s: %s", m.account, serviceName)}, nil
}

func (m *scm) uninstall() (did []string, err error) {
	s, is, err := m.installed()
	if err != nil || !is {
		return nil, m.failed("uninstall", err)
	}
	_ = s.Stop()
	if err := s.Uninstall(); err != nil {
		return nil, m.failed("uninstall", err)
	}
	return []string{"stopped and removed: " + serviceName}, nil
}

func (m *scm) start() error   { return m.order("start", service.Service.Start) }
func (m *scm) stop() error    { return m.order("stop", service.Service.Stop) }
func (m *scm) restart() error { return m.order("restart", service.Service.Restart) }

func (m *scm) order(verb string, do func(service.Service) error) error {
	s, err := m.service("", ipc.Secret{})
	if err == nil {
		err = do(s)
	}
	return m.failed(verb, err)
}

func (*scm) failed(verb string, err error) error {
	if err == nil {
		return nil
	}
	return fail("cwagent service install, as an administrator, if it is not installed; the account needs the right to log on as a service", "service: %s: %v", verb, err)
}

func (m *scm) state() (serviceState, error) {
	out := serviceState{Manager: m.name(), Files: []string{}}
	s, is, err := m.installed()
	if err != nil || !is {
		return out, m.failed("status", err)
	}
	status, err := s.Status()
	out.Installed, out.Enabled, out.Running = true, true, status == service.StatusRunning
	return out, m.failed("status", err)
}
