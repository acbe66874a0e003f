//go:build !windows

package main

import (
	"os/exec"
	"syscall"
)

// openConsole opens the page of tokens in a person's browser, and returns at once. From
// a unit that is locked down a browser would be, too, and would end with the agent: the
// service manager starts it then, with the environment of the desktop; KillMode=process,
// because xdg-open is over when it has started a browser.
func (r *agentRun) openConsole() {
	argv := []string{"xdg-open", consolePage}
	if r.set.outside != nil {
		argv = append([]string{"systemd-run", "--user", "--collect", "--quiet", "--property=KillMode=process", "--"}, argv...)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // what ends us in a terminal is not meant for it
	if err := cmd.Start(); err != nil {
		r.log.Warn("the Console is not opened", "error", err)
		return
	}
	go func() { _ = cmd.Wait() }() // for as long as there is a browser, which outlives us
}
