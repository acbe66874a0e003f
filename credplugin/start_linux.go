package credplugin

import (
	"golang.org/x/sys/unix"
)

// manager is the command by which systemd's user manager makes the socket at path,
// if it runs and the socket would be its.
func manager(path string) serviceManager {
	runtime := "/run/user/" + uid()
	if path != runtime+"/cwagent/agent.sock" || unix.Access(runtime+"/systemd/private", unix.F_OK) != nil {
		return serviceManager{}
	}
	for _, program := range []string{"/usr/bin/systemctl", "/bin/systemctl", "/run/current-system/sw/bin/systemctl"} {
		if unix.Access(program, unix.X_OK) == nil {
			return serviceManager{
				program: program, env: []string{"XDG_RUNTIME_DIR=" + runtime, "PATH=/usr/bin:/bin"},
				start: []string{"systemctl", "--user", "start", "cwagent.socket"},
				renew: []string{"systemctl", "--user", "restart", "cwagent.socket"}, turn: runtime,
			}
		}
	}
	return serviceManager{}
}

// keepDescriptors keeps what is open in us from whatever we start.
func keepDescriptors() {
	if unix.CloseRange(3, 1<<31-1, unix.CLOSE_RANGE_CLOEXEC) == nil {
		return
	}
	for fd := 3; fd < 1024; fd++ { // before Linux 5.11
		unix.CloseOnExec(fd)
	}
}
