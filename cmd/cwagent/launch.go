package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/cwagent/cwagent/agent/atomicfile"
	"github.com/cwagent/cwagent/agent/source"
	"github.com/cwagent/cwagent/ipc"
)

// leaveLaunch notes how this agent was started by a person, so that the plugin can
// do it again where no service manager does: in a container, on a login node. It
// returns what takes the note away.
//
// Where a person has set one of our own variables there is no note: an agent that
// the plugin starts must see none of them.
func (r *agentRun) leaveLaunch() (forget func()) {
	forget = func() {}
	if r.start() != ipc.StartPerson {
		return forget
	}
	for _, name := range []string{"CWAGENT_SOCKET", "CWAGENT_CONFIG", "CWAGENT_STATE_DIR"} {
		if r.getenv(name) != "" {
			return forget
		}
	}
	program, err := os.Executable()
	if err == nil {
		err = ipc.PrivateDir(filepath.Dir(ipc.LaunchPath()))
	}
	if err == nil {
		l := ipc.Launch{Socket: r.path, Args: append([]string{program}, os.Args[1:]...), Env: launchEnv(os.Environ())}
		err = atomicfile.Write(ipc.LaunchPath(), l.Encode(), atomicfile.Options{Mode: 0o600})
	}
	if err != nil {
		r.log.Warn("the plugin cannot start the agent again", "error", err)
		return forget
	}
	return func() { os.Remove(ipc.LaunchPath()) }
}

// launchEnv are the variables that an agent needs, none of which should hold a
// secret. A proxy's address may, as a password or in a query: what is more than a
// host and a port is not kept.
func launchEnv(all []string) (env []string) {
	for _, v := range all {
		name, value, _ := strings.Cut(v, "=")
		if !source.Passed(name) {
			continue
		}
		switch name := strings.ToUpper(name); {
		case name == "NO_PROXY" && !hostList.MatchString(value):
		case name != "NO_PROXY" && strings.HasSuffix(name, "_PROXY") && !plainProxy.MatchString(value):
		default:
			env = append(env, v)
		}
	}
	return env
}

var (
	plainProxy = regexp.MustCompile(`^([A-Za-z0-9]+://)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?/?$`)
	hostList   = regexp.MustCompile(`^[A-Za-z0-9.*:/_, \[\]-]*$`)
)
