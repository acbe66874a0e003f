//go:build unix

package main

import (
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// interruptIgnored says that this program was started with it ignored, as a shell does
// in the background. main listens for it before anything else, after which
// signal.Ignored does not tell.
var interruptIgnored = signal.Ignored(os.Interrupt)

// become puts the program in the place of this one; it returns only if it cannot.
func (p runnable) become() error { return execute(p.path, p.argv, p.env) }

// handed are the signals that are handed on to a program that is waited for.
var handed = []os.Signal{
	syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTSTP, syscall.SIGCONT,
}

// typed are those that a terminal, or a shell for it, sends to all who are in its foreground: the program
// has them already, and a second interrupt makes terraform drop its work. (Whom kill
// has sent one to, Go does not tell.)
var typed = []os.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTSTP, syscall.SIGCONT}

// await starts the program, in our process group so that the terminal and a pipe's
// other ends treat it as us, and waits until it has ended. What f is locked with stays
// locked for as long as the program or what it leaves behind has it open. It stops
// when the program is stopped by the terminal.
func (p runnable) await(f *runFolder) (ended, error) {
	heard := make(chan os.Signal, len(handed))
	for _, s := range handed {
		if !signal.Ignored(s) && (s != os.Interrupt || !interruptIgnored) {
			signal.Notify(heard, s)
		}
	}
	defer signal.Stop(heard)
	if err := keepOpen(f.lock.Fd()); err != nil {
		return ended{}, err
	}
	pid, err := syscall.ForkExec(p.path, p.argv, &syscall.ProcAttr{Env: p.env, Files: []uintptr{0, 1, 2}})
	if err != nil {
		return ended{}, &os.PathError{Op: "exec", Path: p.path, Err: err}
	}
	tty, _ := os.OpenFile("/dev/tty", os.O_RDWR|syscall.O_NOCTTY, 0)
	defer tty.Close() // nil is no file
	changes := make(chan unix.WaitStatus)
	go watchChild(pid, changes)
	early := len(heard) // these may have come before there was a program
	for {
		select {
		case s := <-heard:
			if early--; early >= 0 || !slices.Contains(typed, s) || !foreground(tty) {
				_ = syscall.Kill(pid, s.(syscall.Signal)) // until it is waited for its pid is its own
			}
		case status := <-changes:
			if !status.Stopped() {
				return ended{status}, nil
			}
			if status.StopSignal() != syscall.SIGSTOP { // which is for the program alone, as what continues it is
				_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP) // whoever continues us continues the group
			}
		}
	}
}

// watchChild tells how a child changes, up to its end.
func watchChild(pid int, changes chan<- unix.WaitStatus) {
	for {
		var status unix.WaitStatus
		if _, err := unix.Wait4(pid, &status, unix.WUNTRACED, nil); err == unix.EINTR {
			continue
		}
		changes <- status
		if !status.Stopped() {
			return
		}
	}
}

// foreground reports whether our process group is the one that the terminal's keys
// mean.
func foreground(tty *os.File) bool {
	if tty == nil {
		return false
	}
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// ended is how a program has ended.
type ended struct{ unix.WaitStatus }

// loud are the signals at which a Go program shows its stacks or leaves a core.
var loud = []syscall.Signal{
	syscall.SIGQUIT, syscall.SIGILL, syscall.SIGTRAP, syscall.SIGABRT, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGSEGV, syscall.SIGSYS,
}

// signalLag is how long a signal may take to be noticed.
const signalLag = 10 * time.Millisecond

// pass ends as the program did: with its exit code, or by the same signal, from which
// a shell sees that a person has interrupted it.
func (e ended) pass() error {
	switch s := e.Signal(); {
	case e.Signaled() && slices.Contains(loud, s):
		return exitCode(128 + int(s))
	case e.Signaled():
		signal.Reset(s)
		_ = syscall.Kill(os.Getpid(), s)
		time.Sleep(signalLag)
		return exitCode(128 + int(s)) // it is ignored
	case e.ExitStatus() != 0:
		return exitCode(e.ExitStatus())
	}
	return nil
}
