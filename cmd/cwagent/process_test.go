package main

import (
	"os"
	"os/exec"
	"sync"
	"syscall"
)

// agents holds the running agent of each script, by the script's folder.
var agents sync.Map

// running is an agent that a script has started.
type running struct {
	cmd  *exec.Cmd
	done chan error
}

// end signals the agent and waits for it; a stopped one is woken first.
func (r *running) end(sig os.Signal) error {
	r.cmd.Process.Signal(sig) // an error says that it has ended already
	r.cmd.Process.Signal(signals["cont"])
	err := <-r.done
	r.done <- err // for the next who asks
	return err
}

const terminate = syscall.SIGTERM
