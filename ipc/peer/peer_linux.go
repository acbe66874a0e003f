package peer

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

func credentials(c syscall.Conn) (p Peer, err error) {
	err = control(c, func(fd int) error {
		cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err != nil {
			return os.NewSyscallError("getsockopt SO_PEERCRED", err)
		}
		p.UID, p.PID = cred.Uid, int(cred.Pid)
		return nil
	})
	return p, err
}

// StartTime returns when the process began, in clock ticks since boot: field 22
// of /proc/PID/stat (proc(5)).
func StartTime(pid int) (uint64, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, err
	}
	// Field 2 is the command in parentheses and may hold anything, parentheses
	// and spaces included: count from the last one.
	i := bytes.LastIndexByte(b, ')')
	fields := bytes.Fields(b[i+1:])
	const startTime = 22 - 3 // the first field after the command is number 3
	if i < 0 || len(fields) <= startTime {
		return 0, errors.New("parse /proc/" + strconv.Itoa(pid) + "/stat")
	}
	return strconv.ParseUint(string(fields[startTime]), 10, 64)
}
