//go:build unix

package ipctest

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// Nobody is the user id that owns nothing.
const Nobody = 65534

// AsNobody makes a command of [Child] run under another user id. Only root can
// do that; for others the test is skipped.
func AsNobody(t testing.TB, cmd *exec.Cmd) {
	t.Helper()
	NeedRoot(t)
	cmd.Path = reachable(t, cmd.Path)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: Nobody, Gid: Nobody}}
}

// NeedRoot skips a test that needs a second user id.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		Skip(t, "needs root, to be another user")
	}
}

// reachable copies a program to where everybody may run it: go test builds in a
// folder of mode 0700.
func reachable(t testing.TB, program string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "cwa")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	b, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, filepath.Base(program))
	// A child of a test that runs in parallel would have the file open for
	// writing between its fork and its exec, and Linux runs none that is: "text
	// file busy" (golang/go#22315).
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	for _, err := range []error{os.WriteFile(path, b, 0o700), os.Chmod(path, 0o755), os.Chmod(dir, 0o755)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return path
}
