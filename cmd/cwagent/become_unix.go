//go:build unix

package main

import "syscall"

// become runs a program in the place of this one. It returns only if it cannot.
func become(program string, args, env []string) error { return syscall.Exec(program, args, env) }
