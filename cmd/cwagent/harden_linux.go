package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// harden keeps the tokens in this process's memory from the other programs of
// its user, and from the disk: no ptrace, no /proc/PID/mem, no core dump
// (prctl(2), PR_SET_DUMPABLE). Root reads on. The core limit says the same once
// more, for a kernel that pipes dumps, and the programs that we start inherit
// it; dumpable they do not, an exec sets it again. The files that the agent
// makes are for nobody else.
//
// What of /proc/PID belongs to root from then on are the files of mode 0400 to
// 0600: peers find our start time in stat, which stays open to all.
func harden() error {
	unix.Umask(0o077)
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("forbid core dumps: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("forbid to be traced: %w", err)
	}
	return nil
}
