package source

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
)

// killSession kills what has left the process group of a program but not its
// session, such as what timeout(1) runs. A fork can be missed by one look, so it
// looks until there is nobody; a few looks are enough for all but a fork bomb.
// The kernel does not give the number to another session while one of this is left.
func killSession(session int) {
	const looks = 10
	for range looks {
		entries, err := os.ReadDir("/proc")
		if err != nil {
			return
		}
		found := false
		for _, e := range entries {
			pid, err := strconv.Atoi(e.Name())
			if err == nil && sessionOf(pid) == session && syscall.Kill(pid, syscall.SIGKILL) == nil {
				found = true
			}
		}
		if !found {
			return
		}
	}
}

// sessionOf returns the session of a process that runs, 0 for one that does not:
// fields 3 and 6 of /proc/PID/stat (proc(5)), counted from behind the name, which
// may hold anything.
func sessionOf(pid int) int {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	i := bytes.LastIndexByte(b, ')')
	if err != nil || i < 0 {
		return 0
	}
	f := bytes.Fields(b[i+1:])
	if len(f) < 4 || f[0][0] == 'Z' || f[0][0] == 'X' {
		return 0
	}
	session, _ := strconv.Atoi(string(f[3]))
	return session
}
