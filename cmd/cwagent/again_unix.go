//go:build unix

package main

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// execute puts the program in the place of this one.
func execute(program string, args, env []string) error { return syscall.Exec(program, args, env) }

// keepOpen has a descriptor stay open in the program that is executed.
func keepOpen(fd uintptr) error {
	_, err := unix.FcntlInt(fd, unix.F_SETFD, 0)
	return err
}

func closeOnExec(fd int) { unix.CloseOnExec(fd) }
