package peer

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

func credentials(c syscall.Conn) (p Peer, err error) {
	err = control(c, func(fd int) error {
		cred, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
		if err != nil {
			return os.NewSyscallError("getsockopt LOCAL_PEERCRED", err)
		}
		p.UID = cred.Uid
		p.PID, err = unix.GetsockoptInt(fd, unix.SOL_LOCAL, unix.LOCAL_PEERPID)
		return os.NewSyscallError("getsockopt LOCAL_PEERPID", err)
	})
	return p, err
}

// stat returns when the process began, in microseconds since the epoch, and its
// parent's pid.
func stat(pid int) (start uint64, ppid int, err error) {
	k, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return 0, 0, os.NewSyscallError("sysctl kern.proc.pid", err)
	}
	t := k.Proc.P_starttime
	return uint64(t.Sec)*1e6 + uint64(t.Usec), int(k.Eproc.Ppid), nil
}
