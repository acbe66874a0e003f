package rewritten

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/cwagent/cwagent/agent/atomicfile/killtest"
	"github.com/cwagent/cwagent/ipc/ipctest"
)

// killtest wants one thread: the main goroutine of this binary stays on its own.
func init() { runtime.LockOSThread() }

// Who notes a file and is killed at any system call leaves what was noted before,
// or that and the file; the next one is not kept out, and nothing else is left.
func TestKilled(t *testing.T) {
	t.Parallel()
	n := killtest.Everywhere(t, killtest.Case{
		Prepare: func(dir string) {
			if err := note(Folder{dir}, "/before"); err != nil {
				t.Fatal(err)
			}
		},
		Program: func(dir string) *exec.Cmd { return ipctest.Child(t, "add", dir, "x", "1") },
		Check: func(dir, where string) {
			if paths := noted(t, dir); paths != "/before" && paths != "/before /x/0" {
				t.Errorf("%s: %s", where, paths)
			}
			if err := note(Folder{dir}, "/after"); err != nil {
				t.Errorf("%s: %v", where, err)
			}
			if paths := noted(t, dir); !strings.HasSuffix(paths, " /after") {
				t.Errorf("%s: %s", where, paths)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
				t.Errorf("%s: %q are left", where, left)
			}
		},
	})
	t.Logf("killed at %d system calls", n)
	// Also where there was nothing before, not even the folder.
	n = killtest.Everywhere(t, killtest.Case{
		Prepare: func(string) {},
		Program: func(dir string) *exec.Cmd { return ipctest.Child(t, "add", filepath.Join(dir, "a", "b"), "x", "1") },
		Check: func(dir, where string) {
			dir = filepath.Join(dir, "a", "b")
			if paths := noted(t, dir); paths != "" && paths != "/x/0" {
				t.Errorf("%s: %s", where, paths)
			}
			if info, err := os.Stat(dir); err == nil && info.Mode().Perm() != 0o700 {
				t.Errorf("%s: mode %v", where, info.Mode())
			}
		},
	})
	t.Logf("killed at %d system calls when there was nothing", n)
}

// noted returns the paths that are noted.
func noted(t *testing.T, dir string) string {
	t.Helper()
	files, err := Folder{dir}.Load()
	if err != nil {
		t.Error(err)
	}
	var paths []string
	for _, f := range files {
		paths = append(paths, f.Path)
	}
	return strings.Join(paths, " ")
}
