package peer

import (
	"os"
	"strconv"
	"syscall"
)

// look returns how the command line of a process begins, its program and where it
// stands, each empty where it cannot be told: nobody sees the latter two of another
// user's process, nor of one that cannot be ptraced.
func look(pid int) (argv []byte, exe, dir string) {
	proc := "/proc/" + strconv.Itoa(pid)
	exe, _ = os.Readlink(proc + "/exe")
	dir, _ = os.Readlink(proc + "/cwd")
	fd, err := syscall.Open(proc+"/cmdline", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, exe, dir
	}
	defer syscall.Close(fd)
	// Room for the path of a program and for the words that are shown. What is cut
	// off ends with no NUL and is not shown.
	var buf [4096]byte
	if n, err := syscall.Read(fd, buf[:]); err == nil {
		argv = buf[:n]
	}
	return argv, exe, dir
}
