package credplugin

import (
	"golang.org/x/sys/unix"
)

// manager is the command by which systemd's user manager makes the socket at path,
// if it runs and the socket would be its.
func manager(path string) (program string, args, env []string) {
	runtime := "/run/user/" + uid()
	if path != runtime+"/cwagent/agent.sock" || unix.Access(runtime+"/systemd/private", unix.F_OK) != nil {
		return "", nil, nil
	}
	for _, program := range []string{"/usr/bin/systemctl", "/bin/systemctl", "/run/current-system/sw/bin/systemctl"} {
		if unix.Access(program, unix.X_OK) == nil {
			return program, []string{"systemctl", "--user", "start", "cwagent.socket"}, []string{"XDG_RUNTIME_DIR=" + runtime, "PATH=/usr/bin:/bin"}
		}
	}
	return "", nil, nil
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
