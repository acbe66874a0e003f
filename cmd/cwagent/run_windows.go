package main

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
)

// become runs the program and ends as it does: Windows puts none in another's place.
func (p runnable) become() error {
	e, err := p.await(nil)
	if err != nil {
		return err
	}
	return e.pass()
}

// await starts the program and waits until it has ended. An interrupt reaches all of
// the console.
func (p runnable) await(*runFolder) (ended, error) {
	signal.Ignore(os.Interrupt)
	cmd := &exec.Cmd{Path: p.path, Args: p.argv, Env: p.env, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr}
	err := cmd.Run()
	if e := (*exec.ExitError)(nil); errors.As(err, &e) {
		return ended(e.ExitCode()), nil
	}
	return 0, err
}

// ended is the exit code of a program.
type ended int

func (e ended) pass() error {
	if e == 0 {
		return nil
	}
	return exitCode(e)
}
