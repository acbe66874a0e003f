package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/state"
	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/server"
)

// An agent that is locked executes its own program again: what its memory holds
// cannot be wiped otherwise, Go leaves copies. Its pid stays, and its descriptors: of
// the socket, so that whoever connects meanwhile waits, and of both locks.

// leftVariable names what the program before this one has left:
// pid:socket:lock:state:kept, the three descriptors; no state: -1.
const leftVariable = "CWAGENT_LEFT"

// environment is what the program was started with: who reads what a service manager
// says there takes it out.
var environment = os.Environ()

// beginAgain ends the run, after which the program is executed again.
func (r *agentRun) beginAgain() error {
	if r.again.Load() {
		return nil // it is about to
	}
	socket, lock, err := r.socket.Leave()
	if err != nil {
		return err
	}
	r.left = []*os.File{socket, lock}
	if r.owned != nil {
		r.left = append(r.left, r.owned.File)
	}
	r.again.Store(true)
	r.leave()
	return nil
}

// executeAgain does not return unless it fails; then the run is over all the same, and
// what comes next finds the latch shut. An interrupt that has come since is heard.
func (r *agentRun) executeAgain(signaled context.Context) error {
	r.deaf()                      // from here on an interrupt ends the process
	signal.Ignore(syscall.SIGHUP) // and this one does not, until the new program takes it
	if signaled.Err() != nil {
		return nil
	}
	numbers := []string{strconv.Itoa(os.Getpid()), "-1", "-1", "-1", strconv.FormatBool(r.socket.Kept())}
	for i, f := range r.left {
		fd := f.Fd()
		if err := keepOpen(fd); err != nil {
			return fail("it stays locked: cwagent agent, or cwagent service start", "agent: it cannot leave its descriptors to itself: %v", err)
		}
		numbers[1+i] = strconv.Itoa(int(fd))
	}
	env := slices.DeleteFunc(slices.Clone(environment), func(v string) bool {
		return strings.HasPrefix(v, "LISTEN_") || strings.HasPrefix(v, leftVariable+"=")
	})
	program, err := os.Executable()
	env = append(env, leftVariable+"="+strings.Join(numbers, ":"))
	if err == nil {
		err = execute(program, os.Args, env)
	}
	if err != nil { // it was taken away, or is being written anew: this one still runs
		err = errors.Join(err, execute("/proc/self/exe", os.Args, env))
	}
	return fail("it stays locked: cwagent agent, or cwagent service start", "agent: it cannot execute itself: %v", err)
}

// inherited returns what the program before this one has left, if that was this
// process.
func inherited() (l *server.Listener, owned *state.Held, err error) {
	left := strings.Split(os.Getenv(leftVariable), ":")
	os.Unsetenv(leftVariable)
	if len(left) != 5 || left[0] != strconv.Itoa(os.Getpid()) {
		return nil, nil, nil
	}
	var files [3]*os.File
	for i := range files {
		fd, err := strconv.Atoi(left[1+i])
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", leftVariable, err)
		}
		if fd >= 0 {
			closeOnExec(fd)
			files[i] = os.NewFile(uintptr(fd), "left")
		}
	}
	if files[2] != nil {
		owned = &state.Held{File: files[2]}
	}
	l, err = server.Inherit(files[0], files[1], left[4] == "true")
	return l, owned, err
}

// ready is for a server: whether the agent can answer that question.
func (r *agentRun) ready(ctx context.Context, op ipc.Op) error {
	if err := r.beginning.wait(ctx); err != nil {
		return err
	}
	since, _ := r.latch.Shut()
	if since.IsZero() || op == ipc.OpStatus || op == ipc.OpMetrics || op == ipc.OpUnlock {
		return nil
	}
	return agent.ErrAgentLocked(since, r.now())
}

// untilOpen waits until the latch is open, and reports whether it is.
func (r *agentRun) untilOpen(ctx context.Context, status *supervisor) bool {
	if since, guarded := r.latch.Shut(); !since.IsZero() {
		r.log.Info("locked", "socket", r.path, "since", since, "passphrase", guarded, "version", version)
	}
	select {
	case <-r.latch.open():
		status.note()
		return true
	case <-ctx.Done():
		return false
	}
}
