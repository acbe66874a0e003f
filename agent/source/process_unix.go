//go:build unix

package source

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// nonblock keeps the opening of a FIFO from waiting for its other end.
const nonblock = syscall.O_NONBLOCK

// apart runs cmd in a session of its own: without a terminal to ask at, and with
// a process group that can be killed as a whole, as on Linux the session can. It
// is not asked to end first: it has had its time, and what ignores SIGTERM would
// have more of it.
func apart(cmd *exec.Cmd) {
	cmd.Dir = "/" // the agent's folder may be gone, or on a disk that is to be unmounted
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Cancel = func() error {
		defer killSession(cmd.Process.Pid)
		switch err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err {
		case nil:
			return nil
		case syscall.ESRCH:
			return os.ErrProcessDone
		default: // EPERM, of macOS where a member of the group has ended already
			return cmd.Process.Kill()
		}
	}
}

// notProgram reports whether the kernel did not know how to run the file.
func notProgram(err error) bool { return errors.Is(err, syscall.ENOEXEC) }
