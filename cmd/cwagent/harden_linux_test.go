package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc/ipctest"
)

// A running agent is closed to the other programs of its own user, and leaves
// no core behind. It runs as nobody, because root may read everything.
func TestHardened(t *testing.T) {
	t.Parallel()
	bin := built(t, "cwagent")
	ipctest.NeedRoot(t)
	home, err := os.MkdirTemp("", "cwh")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	if err := os.Chown(home, ipctest.Nobody, ipctest.Nobody); err != nil {
		t.Fatal(err)
	}
	// A shell, to have a core limit that the agent can only have lowered itself.
	agent := asNobody(exec.CommandContext(t.Context(), "sh", "-c", "ulimit -c unlimited; exec "+reachable(t, bin)+" agent"), home)
	stderr, err := agent.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	for lines.Scan() && !strings.Contains(lines.Text(), "serving") {
	}
	go func() { // its last words are the Go runtime's trace
		for lines.Scan() {
		}
	}()
	proc := fmt.Sprintf("/proc/%d/", agent.Process.Pid)
	for _, file := range []string{"mem", "environ", "auxv", "maps"} {
		out, err := asNobody(exec.Command("dd", "if="+proc+file, "of=/dev/null", "count=1"), home).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "Permission denied") {
			t.Errorf("%s: the same user may read it: %v\n%s", file, err, out)
		}
	}
	limits, err := os.ReadFile(proc + "limits")
	if err != nil || !coreForbidden(string(limits)) {
		t.Errorf("a core is allowed: %v\n%s", err, limits)
	}
	if status, err := os.ReadFile(proc + "status"); err != nil || !strings.Contains(string(status), "Umask:\t0077") {
		t.Errorf("umask: %v\n%s", err, status)
	}
	if err := agent.Process.Signal(syscall.SIGABRT); err != nil {
		t.Fatal(err)
	}
	_ = agent.Wait()
	ws := agent.ProcessState.Sys().(syscall.WaitStatus)
	if ws.CoreDump() {
		t.Error("it dumped core")
	}
	if cores, _ := filepath.Glob(filepath.Join(home, "core*")); cores != nil {
		t.Errorf("left %v", cores)
	}
}

func coreForbidden(limits string) bool {
	for line := range strings.Lines(limits) {
		if rest, ok := strings.CutPrefix(line, "Max core file size"); ok {
			f := strings.Fields(rest)
			return len(f) == 3 && f[0] == "0" && f[1] == "0"
		}
	}
	return false
}

// asNobody makes a command another user's, at home there. The runtime is told
// to crash for good on SIGABRT, where a core would be written.
func asNobody(cmd *exec.Cmd, home string) *exec.Cmd {
	cmd.Dir = home
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_RUNTIME_DIR=" + home, "GOTRACEBACK=crash"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: ipctest.Nobody, Gid: ipctest.Nobody}}
	cmd.WaitDelay = time.Second
	return cmd
}

// reachable copies the agent to where everybody may run it.
func reachable(t *testing.T, bin string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cwb")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	b, err := os.ReadFile(filepath.Join(bin, "cwagent"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "cwagent")
	if err := os.WriteFile(path, b, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}
