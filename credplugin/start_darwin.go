package credplugin

import "golang.org/x/sys/unix"

// manager is the command by which launchd starts the agent. Where it is not
// installed that fails at once.
func manager(string) serviceManager {
	return serviceManager{
		program: "/bin/launchctl", env: []string{"PATH=/usr/bin:/bin"},
		start: []string{"launchctl", "kickstart", "gui/" + uid() + "/com.github.cwagent"},
	}
}

// keepDescriptors keeps what is open in us from whatever we start.
func keepDescriptors() {
	for fd := 3; fd < 256; fd++ {
		unix.CloseOnExec(fd)
	}
}
