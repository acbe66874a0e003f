//go:build unix

package main

import (
	"os"
	"syscall"
)

var signals = map[string]os.Signal{"stop": syscall.SIGSTOP, "cont": syscall.SIGCONT, "kill": syscall.SIGKILL, "hup": syscall.SIGHUP}
