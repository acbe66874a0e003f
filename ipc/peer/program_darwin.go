package peer

import (
	"bytes"
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// look returns the command line of a process and its program, each empty where it
// cannot be told.
func look(pid int) (argv []byte, exe, dir string) {
	b, err := unix.SysctlRaw("kern.procargs2", pid)
	if err != nil {
		return nil, "", ""
	}
	argv, exe = procargs(b)
	return argv, exe, ""
}

// procargs takes apart what sysctl(3) gives for KERN_PROCARGS2: how many arguments
// there are, the path of the program, zeros, the arguments, each with a zero at its
// end, and then the environment, which nobody is to see.
func procargs(b []byte) (argv []byte, exe string) {
	if len(b) < 4 {
		return nil, ""
	}
	n := binary.NativeEndian.Uint32(b)
	program, rest, _ := bytes.Cut(b[4:], []byte{0})
	rest = bytes.TrimLeft(rest, "\x00")
	end := 0
	for range n {
		i := bytes.IndexByte(rest[end:], 0)
		if i < 0 {
			break
		}
		end += i + 1
	}
	return rest[:end], string(program)
}
