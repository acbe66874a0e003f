//go:build unix

package main

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lockAWSFolder keeps others of us from writing into a folder until done is called. Only
// who finds that taken is told; where folders have no locks nobody is.
func lockAWSFolder(dir string) (done func(), err error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == unix.EWOULDBLOCK {
		f.Close()
		return nil, errors.New("another cwagent writes there")
	}
	return func() { f.Close() }, nil
}
