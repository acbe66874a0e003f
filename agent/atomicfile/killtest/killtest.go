//go:build linux

// Package killtest kills a program at every system call that touches a folder,
// one run for each, to prove that what is in the folder survives that; and lists
// those calls, since what survives a loss of power is a matter of their order.
//
// It takes strace. The program has to do all its work on its main thread, since
// strace counts system calls by thread: a test binary that is to be the program
// calls runtime.LockOSThread in an init function.
package killtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/cwagent/cwagent/ipc/ipctest"
)

// A Case is what is killed.
type Case struct {
	Prepare func(dir string)           // puts into the folder what is there before
	Program func(dir string) *exec.Cmd // works in the folder
	Check   func(dir, where string)    // is called after each death, and must find all well
}

// A call is a system call of the program, by its number among those of its name.
type call struct {
	name string
	n    int
	line string // of strace
}

// Everywhere runs the program once to the end and then once for each system call
// that touches its folder, and kills it as it enters that one. It returns the
// number of deaths.
func Everywhere(t *testing.T, c Case) int {
	t.Helper()
	calls := observe(t, c)
	for _, at := range calls {
		killed := false
		// Go may do one call more or less in a run, and then the last of its name is not
		// reached: what is not killed once is, the next time.
		for try := 0; try < 3 && !killed; try++ {
			killed = kill(t, c, at)
		}
		if !killed {
			t.Errorf("not killed at %s", at.line)
		}
	}
	return len(calls)
}

// kill runs the program in a folder of its own and kills it at that call, and reports
// whether it came so far.
func kill(t *testing.T, c Case, at call) bool {
	t.Helper()
	dir := t.TempDir()
	c.Prepare(dir)
	cmd := under(c.Program(dir), "-o", os.DevNull, "-e", fmt.Sprintf("trace=%s", at.name),
		"-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", at.name, at.n))
	_ = cmd.Run() // it is killed
	status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !status.Signaled() || status.Signal() != syscall.SIGKILL {
		return false
	}
	c.Check(dir, "killed at "+at.line)
	return true
}

// Calls runs the program once to the end and returns its system calls that touch its
// folder, in their order and as strace writes them; the folder's path is DIR.
func Calls(t *testing.T, c Case) (lines []string) {
	t.Helper()
	for _, at := range observe(t, c) {
		lines = append(lines, at.line)
	}
	return lines
}

// line is one of strace -f: the thread, the call's name and the rest.
var line = regexp.MustCompile(`^(\d+) +([a-z0-9_]+)(\(.*)$`)

// observe notes the calls that touch the folder.
func observe(t *testing.T, c Case) []call {
	t.Helper()
	if _, err := exec.LookPath("strace"); err != nil {
		ipctest.Skip(t, "strace is not installed")
	}
	dir, log := t.TempDir(), filepath.Join(t.TempDir(), "strace")
	c.Prepare(dir)
	if out, err := under(c.Program(dir), "-y", "-s", "256", "-o", log, "-e", "trace=%file,%desc").CombinedOutput(); err != nil {
		t.Fatalf("strace: %v\n%s", err, out)
	}
	c.Check(dir, "not killed")
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	var calls []call
	count := map[string]int{}
	main := ""
	for l := range strings.Lines(string(text)) {
		m := line.FindStringSubmatch(strings.TrimSpace(l))
		if m == nil {
			continue // an exit, or the second half of a call of another thread
		}
		if main == "" {
			main = m[1]
		}
		touches := strings.Contains(m[3], dir) && m[2] != "execve"
		switch {
		case m[1] == main:
			count[m[2]]++
			if touches {
				calls = append(calls, call{m[2], count[m[2]], m[2] + strings.ReplaceAll(m[3], dir, "DIR")})
			}
		case touches:
			t.Fatalf("another thread touches the folder: %s", l)
		}
	}
	if len(calls) == 0 {
		t.Fatalf("nothing touches the folder:\n%s", text)
	}
	return calls
}

// under lets strace run a program.
func under(cmd *exec.Cmd, options ...string) *exec.Cmd {
	args := append([]string{"strace", "-f", "-q"}, options...)
	path, err := exec.LookPath("strace")
	cmd.Args = append(append(args, "--", cmd.Path), cmd.Args[1:]...)
	cmd.Path, cmd.Err = path, err
	cmd.Stderr = nil
	return cmd
}
