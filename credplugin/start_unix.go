//go:build unix

package credplugin

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cwagent/cwagent/ipc"
)

// managerWait is how long a service manager may take to say whether it has started
// something. Then there is time left for the launch record.
const managerWait = 700 * time.Millisecond

// maxLaunch is the size of a launch record that is not one.
const maxLaunch = 64 << 10

// start has an agent started that will listen at path, and reports whether one may
// come before the deadline: by the service manager, or as the last person has started one. Nothing that
// a kubeconfig can set has a say in what is started. Until done is called, or we end,
// nobody else starts one.
func start(path string, deadline time.Time) (done func(), ok bool) {
	done = func() {}
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return done, false
	}
	defer unix.Close(null)
	keepDescriptors()
	if m := manager(path); m.program != "" && m.does(null, deadline, m.start) && m.listens(path, null, deadline) {
		return done, true
	}
	dir, err := unix.Open(filepath.Dir(ipc.LaunchPath()), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return done, false
	}
	defer unix.Close(dir)
	if !private(dir) {
		return done, false
	}
	f, err := unix.Openat(dir, filepath.Base(ipc.LaunchPath()), unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return done, false
	}
	done = func() { unix.Close(f) } // not before: its lock says that somebody is starting one
	l, ok := readLaunch(f)
	if !ok || l.Socket != path {
		return done, false
	}
	if unix.Flock(f, unix.LOCK_EX|unix.LOCK_NB) != nil {
		return done, true // another one is at it
	}
	_, err = spawn(null, l.Args[0], l.Args, append(l.Env, startedByPlugin))
	return done, err == nil
}

// A serviceManager is how to have one start the agent.
type serviceManager struct {
	program string // "" where there is none
	env     []string
	start   []string // has it listen, or the agent run
	renew   []string // has it listen anew; nil: it does not listen itself
	turn    string   // folder whose lock says that somebody is having it listen anew
}

func (m serviceManager) does(null int, deadline time.Time, args []string) bool {
	return succeeds(null, earlier(deadline, time.Now().Add(managerWait)), m.program, args, m.env)
}

// listens reports whether somebody listens at path, or soon will, once the service
// manager says that it does. It does not notice that its socket has been removed, or
// that something else lies there: then it is told to make it anew, by one of us.
func (m serviceManager) listens(path string, null int, deadline time.Time) bool {
	if m.renew == nil || !noAgent(ipc.Reach(path, deadline)) {
		return true
	}
	turn, err := unix.Open(m.turn, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(turn)
	if unix.Flock(turn, unix.LOCK_EX|unix.LOCK_NB) != nil {
		return true // another one is at it
	}
	return !noAgent(ipc.Reach(path, deadline)) || m.does(null, deadline, m.renew) // or another one has just done it
}

// startedByPlugin tells the agent how it was started.
const startedByPlugin = "CWAGENT_STARTED_BY_PLUGIN=1"

// private reports whether what fd is belongs to us, and to nobody else.
func private(fd int) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && int(st.Uid) == os.Getuid() && st.Mode&0o077 == 0
}

func readLaunch(fd int) (l ipc.Launch, ok bool) {
	var st unix.Stat_t
	if !private(fd) || unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size > maxLaunch {
		return ipc.Launch{}, false
	}
	b := make([]byte, st.Size)
	n, err := unix.Pread(fd, b, 0)
	if err != nil || n < len(b) {
		return ipc.Launch{}, false
	}
	return ipc.DecodeLaunch(b)
}

// spawn starts a program that outlives us: with nothing of ours open, in a session
// of its own, where no folder is kept busy.
func spawn(null int, program string, args, env []string) (pid int, err error) {
	fd := uintptr(null)
	return syscall.ForkExec(program, args, &syscall.ProcAttr{
		Dir: "/", Env: env, Files: []uintptr{fd, fd, fd}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
}

// succeeds runs a program and reports whether it ends well before the deadline. It
// is killed then: each plugin would leave another one behind.
func succeeds(null int, deadline time.Time, program string, args, env []string) bool {
	pid, err := spawn(null, program, args, env)
	if err != nil {
		return false
	}
	for ; ; time.Sleep(startPoll) {
		var status syscall.WaitStatus
		ended, err := syscall.Wait4(pid, &status, syscall.WNOHANG, nil)
		switch {
		case ended == pid:
			return status.ExitStatus() == 0
		case err != nil && err != syscall.EINTR:
			return false
		case !time.Now().Before(deadline):
			_ = syscall.Kill(-pid, syscall.SIGKILL)
			return false
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// uid is the user's id in words.
func uid() string { return strconv.Itoa(os.Getuid()) }
