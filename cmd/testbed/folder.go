package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/cwagent/cwagent/cmd/testbed/internal/control"
)

// folder is DIR while we are the one testbed that is up in it.
type folder struct {
	path    string // absolute
	sockets string
	lock    *os.File
	log     *os.File
}

// openFolder makes or takes over DIR. What an earlier testbed has left is gone before this returns, so nobody takes an
// old ready file for ours.
func openFolder(dir string) (f *folder, err error) {
	f = &folder{}
	if f.path, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(f.path, 0o700); err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	if f.lock, err = lock(f.path); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			f.close()
		}
	}()
	if err := os.Remove(f.in("ready")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove leftover: %w", err)
	}
	if err := control.RemoveLeftovers(f.path); err != nil {
		return nil, err
	}
	if f.sockets, err = control.SocketFolder(f.path); err != nil {
		return nil, err
	}
	f.log, err = os.OpenFile(f.in("log"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return f, nil
}

func (f *folder) in(name string) string { return filepath.Join(f.path, name) }

// exists turns false when somebody, such as a test's clean-up, removes the folder from under us.
func (f *folder) exists() bool {
	then, err1 := f.lock.Stat()
	now, err2 := os.Stat(f.in("lock"))
	return err1 == nil && err2 == nil && os.SameFile(then, now)
}

func (f *folder) close() {
	os.Remove(f.in("ready"))
	control.RemoveLeftovers(f.path)
	if f.log != nil {
		f.log.Close()
	}
	f.lock.Close()
}

// lock is the kernel's, so it ends with the process however that ends. The file stays: removing it would let two
// testbeds lock two files of one name.
func lock(dir string) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock folder: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(file.Name())
		file.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock folder: %w", err)
		}
		pid := strings.TrimSpace(string(holder))
		return nil, &control.Hinted{
			Err:  fmt.Errorf("up %s: a testbed is up there already (pid %s)", dir, pid),
			Hint: "end that one with: kill " + pid + "; or take another folder",
		}
	}
	if err := file.Truncate(0); err != nil {
		file.Close()
		return nil, fmt.Errorf("lock folder: %w", err)
	}
	fmt.Fprintln(file, os.Getpid())
	return file, nil
}
