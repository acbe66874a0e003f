package kubeconfig

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/cwagent/cwagent/agent/atomicfile/killtest"
	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/ipctest"
)

// killtest wants one thread: the main goroutine of this binary stays on its own.
func init() { runtime.LockOSThread() }

func TestMain(m *testing.M) {
	ipctest.Main(m, map[string]func([]string) int{"import": childImport, "restore": childRestore})
}

func childImport(args []string) int {
	return exit(Rewrite(args[0], edited))
}

func childRestore(args []string) int {
	var undo []Undo
	if err := json.Unmarshal([]byte(args[1]), &undo); err != nil {
		return exit(err)
	}
	return exit(Rewrite(args[0], func(f *File) ([]byte, error) { return restored(f, undo) }))
}

func restored(f *File, undo []Undo) ([]byte, error) {
	text, _, err := f.Restore(undo, func(string) (ipc.Secret, error) { return ipc.NewSecret(secret), nil })
	return text, err
}

func exit(err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// A killing is an import or a restore that is killed, with the texts between
// which it works.
type killing struct {
	*testing.T
	program     string
	before, now string
	args        []string
	link        bool // the file is named by a symbolic link
	left        int  // temporary files with a secret that it left
}

func (k *killing) path(dir string) string {
	if k.link {
		return filepath.Join(dir, "link")
	}
	return filepath.Join(dir, "config")
}

func (k *killing) prepare(dir string) {
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte(k.before), 0o600); err != nil {
		k.Fatal(err)
	}
	if k.link {
		if err := os.Symlink("config", filepath.Join(dir, "link")); err != nil {
			k.Fatal(err)
		}
	}
}

// check wants the old file or the new one, whole, and nothing else with a secret
// in it but what a kill between a file's two names leaves; then everything works
// again, and nothing is left.
func (k *killing) check(dir, where string) {
	b, err := os.ReadFile(filepath.Join(dir, "config"))
	if text := string(b); err != nil || text != k.before && text != k.now {
		k.Errorf("%s: %v, it holds %q", where, err, text)
	}
	if secrets := k.secrets(dir); len(secrets) > 0 {
		if k.left += len(secrets); !strings.HasPrefix(where, "killed at rename") {
			k.Errorf("%s: secrets in %q", where, secrets)
		}
	}
	k.removeUnsigned(dir)
	if err := Rewrite(k.path(dir), func(f *File) ([]byte, error) {
		return append(bytes.Clone(f.text), "# after\n"...), nil
	}); err != nil {
		k.Errorf("%s: the next write: %v", where, err)
	}
	if k.link {
		wantFiles(k.T, dir, "config", "link")
	} else {
		wantFiles(k.T, dir, "config")
	}
}

// secrets returns the files with a secret, other than the kubeconfig.
func (k *killing) secrets(dir string) []string {
	var names []string
	entries, err := os.ReadDir(dir)
	if err != nil {
		k.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() == "config" || e.Name() == "link" {
			continue
		}
		if b, err := os.ReadFile(filepath.Join(dir, e.Name())); err == nil && bytes.Contains(b, []byte(secret)) {
			names = append(names, e.Name())
		}
	}
	return names
}

// removeUnsigned removes a lock that was killed before our words were in it: what
// the message tells a person to do.
func (k *killing) removeUnsigned(dir string) {
	locks, _ := filepath.Glob(filepath.Join(dir, "*.lock"))
	for _, l := range locks {
		if info, err := os.Stat(l); err == nil && info.Size() == 0 {
			os.Remove(l)
		}
	}
}

func (k *killing) everywhere() {
	n := killtest.Everywhere(k.T, killtest.Case{Prepare: k.prepare, Check: k.check, Program: func(dir string) *exec.Cmd {
		return ipctest.Child(k.T, k.program, append([]string{k.path(dir)}, k.args...)...)
	}})
	k.Logf("%s: killed at %d system calls, %d times with a secret left until the next write", k.program, n, k.left)
	if k.left > 1 {
		k.Errorf("a secret is left %d times", k.left)
	}
}

// An import and a restore that are killed at any system call which touches the
// file or its folder leave the old file or the new one.
func TestKilled(t *testing.T) {
	t.Parallel()
	in := importOne(t, kubeconfig(block))
	undo, err := json.Marshal(in.undo)
	if err != nil {
		t.Fatal(err)
	}
	text, err := edited(in.before)
	if err != nil {
		t.Fatal(err)
	}
	before := string(in.before.text)
	for _, link := range []bool{false, true} {
		if !link {
			k := &killing{T: t, program: "import", before: before, now: string(text)}
			k.everywhere()
		}
		k := &killing{T: t, program: "restore", before: string(in.text), now: before, args: []string{string(undo)}, link: link}
		k.everywhere()
	}
}
