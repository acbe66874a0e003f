package main

import (
	"context"
	"strings"

	"github.com/cwagent/cwagent/packaging"
)

func lookService(ctx context.Context, p *subject) []finding {
	m, err := p.manager(ctx)
	if err != nil {
		return []finding{notHere("%s", strings.TrimPrefix(err.Error(), "service: "))}
	}
	s, err := m.state()
	switch {
	case err != nil:
		return []finding{unchecked("%s", strings.TrimPrefix(err.Error(), "service: "))}
	case !s.Installed:
		return []finding{{Grade: gradeWarning, Cause: "nothing starts the agent at login", Proof: s.Manager + ": it is not installed",
			Command: "cwagent service install", fix: runs("service", "install")}}
	case s.silent:
		return []finding{unchecked("it does not answer here: %s", s.Manager)}
	case len(s.Masked) > 0:
		return []finding{{Grade: gradeWarning, Cause: "somebody wants the agent never to run", Proof: strings.Join(s.Masked, ", ") + ": masked",
			Mend: "if it is to run", Command: strings.Join(s.unmask, " && ")}}
	}
	var found []finding
	if !s.Enabled {
		found = append(found, finding{Grade: gradeWarning, Cause: "the agent is not started at login", Proof: packaging.SocketUnit + ": not enabled",
			Mend: "enable it", Command: "cwagent service install", fix: runs("service", "install")})
	}
	if sd, ok := m.(*systemd); ok {
		found = append(found, sd.lookStale()...)
	}
	return found
}

// lookStale finds units that were changed since the manager has read them.
func (m *systemd) lookStale() []finding {
	var stale []string
	for _, unit := range units {
		need, err := m.ctl("show", "--property=NeedDaemonReload", "--value", unit)
		if err != nil {
			return []finding{unchecked("systemctl show %s: %v", unit, err)}
		}
		if strings.TrimSpace(need) == "yes" {
			stale = append(stale, unit)
		}
	}
	if len(stale) == 0 {
		return nil
	}
	return []finding{{Grade: gradeWarning, Cause: "units on disk are not the ones that systemd has read", Proof: strings.Join(stale, ", ") + ": NeedDaemonReload=yes",
		Mend: "have it read them, and restart the agent: no request fails", Command: "systemctl --user daemon-reload && cwagent service restart",
		fix: func(ctx context.Context, c mender) error {
			again, err := c.manager(ctx)
			if err != nil {
				return err
			}
			if err := again.(*systemd).tell("daemon-reload"); err != nil {
				return err
			}
			return runs("service", "restart")(ctx, c)
		}}}
}
