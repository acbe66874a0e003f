//go:build unix && !linux

package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// harden forbids core dumps, and the files that the agent makes are for nobody
// else. Who may trace whom is the system's business here.
func harden() error {
	unix.Umask(0o077)
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("forbid core dumps: %w", err)
	}
	return nil
}
