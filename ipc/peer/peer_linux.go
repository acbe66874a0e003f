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

// The numbers that proc(5) gives to fields of /proc/PID/stat.
const (
	fieldState     = 3 // the first one after the command
	fieldPPID      = 4
	fieldStartTime = 22
)

// stat returns when the process began, in clock ticks since boot, and its
// parent's pid. Each request waits for it twice, so it makes the three system
// calls that it takes: os.ReadFile makes ten, most of them to learn that the file
// cannot be polled.
func stat(pid int) (start uint64, ppid int, err error) {
	path := "/proc/" + strconv.Itoa(pid) + "/stat"
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return 0, 0, os.NewSyscallError("open "+path, err)
	}
	defer syscall.Close(fd)
	// The first 22 fields have at most 400 bytes, and one read gives all that
	// there is room for.
	var buf [512]byte
	n, err := syscall.Read(fd, buf[:])
	if err != nil {
		return 0, 0, os.NewSyscallError("read "+path, err)
	}
	return parse(buf[:n])
}

var errStat = errors.New("parse /proc/PID/stat: not in the form of proc(5)")

func parse(stat []byte) (start uint64, ppid int, err error) {
	// Field 2 is the command in parentheses and may hold anything, parentheses
	// and spaces included: count from the last one.
	i := bytes.LastIndexByte(stat, ')')
	_, rest, ok := bytes.Cut(stat[i+1:], []byte(" "))
	for field := fieldState; ok && i >= 0 && err == nil; field++ {
		var value []byte
		value, rest, ok = bytes.Cut(rest, []byte(" "))
		switch field {
		case fieldPPID:
			ppid, err = strconv.Atoi(string(value))
		case fieldStartTime:
			if start, err = strconv.ParseUint(string(value), 10, 64); err == nil {
				return start, ppid, nil
			}
		}
	}
	return 0, 0, errStat
}
