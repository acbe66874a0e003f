package atomicfile

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/cwagent/cwagent/agent/atomicfile/killtest"
	"github.com/cwagent/cwagent/ipc/ipctest"
)

// killtest wants one thread: the main goroutine of this binary stays on its own.
func init() { runtime.LockOSThread() }

func TestMain(m *testing.M) {
	ipctest.Main(m, map[string]func([]string) int{
		"unnamed": func(args []string) int { return child(args[0], unnamed) },
		"named":   func(args []string) int { return child(args[0], named) },
	})
}

func child(path string, create func(string) (*temporary, error)) int {
	if err := write(path, []byte("new"), Options{Mode: 0o600}, create); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// A loss of power leaves the old file or the new one, whole: the contents are on the
// disk before the name leads to them, and the name before Write returns.
func TestWriteSyncs(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"named", "unnamed"} {
		if _, err := unnamed(t.TempDir()); program == "unnamed" && err != nil {
			continue
		}
		lines := killtest.Calls(t, killtest.Case{
			Prepare: func(string) {},
			Program: func(dir string) *exec.Cmd { return ipctest.Child(t, program, filepath.Join(dir, "file")) },
			Check:   func(string, string) {},
		})
		at := 0
		// What a descriptor leads to is shown behind it, in angle brackets.
		for _, next := range []struct{ call, on string }{{"write(", "<DIR/"}, {"fsync(", "<DIR/"}, {"rename", "DIR/file"}, {"fsync(", "<DIR>"}} {
			i := slices.IndexFunc(lines[at:], func(l string) bool { return strings.HasPrefix(l, next.call) && strings.Contains(l, next.on) })
			if i < 0 {
				t.Fatalf("%s: no %s...%s after call %d of\n%s", program, next.call, next.on, at, strings.Join(lines, "\n"))
			}
			at += i + 1
		}
	}
}
