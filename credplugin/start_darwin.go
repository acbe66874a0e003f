package credplugin

import "golang.org/x/sys/unix"

// manager is the command by which launchd starts the agent. Where it is not
// installed that fails at once.
func manager(string) (program string, args, env []string) {
	return "/bin/launchctl", []string{"launchctl", "kickstart", "gui/" + uid() + "/com.github.cwagent"}, []string{"PATH=/usr/bin:/bin"}
}

// keepDescriptors keeps what is open in us from whatever we start.
func keepDescriptors() {
	for fd := 3; fd < 256; fd++ {
		unix.CloseOnExec(fd)
	}
}
