//go:build unix

package credplugin_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cwagent/cwagent/credplugin"
	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/ipctest"
)

func TestMain(m *testing.M) {
	ipctest.Main(m, map[string]func([]string) int{
		"plugin": func(args []string) int {
			return credplugin.Run(args, os.Getenv, os.Stdout, os.Stderr)
		},
		// kubectl runs the plugin six times, the most that kubectl does with one
		// that fails.
		"kubectl": func(args []string) int {
			exit := 0
			for range 6 {
				cmd := exec.Command(os.Args[0], args...)
				cmd.Env = append(os.Environ(), "CWAGENT_TEST_CHILD=plugin")
				cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
				if cmd.Run() != nil {
					exit = cmd.ProcessState.ExitCode()
				}
			}
			return exit
		},
	})
}

// child returns a command that is the plugin, or runs it, against socket.
func child(t *testing.T, program, socket string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := ipctest.Child(t, program, args...)
	cmd.Env = append(cmd.Env, "CWAGENT_SOCKET="+socket, "KUBERNETES_EXEC_INFO="+string(ipctest.ExecInfo(t, "v1", "", nil)))
	return cmd
}

// runs runs a command to its end.
func runs(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Error(err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// Forty failures at once, of one parent: one line. Not parallel, because forty
// processes are enough for a machine.
func TestManyFailures(t *testing.T) {
	socket := ipctest.SocketPath(t)
	results := make([]result, 40)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() { results[i] = runs(t, child(t, "plugin", socket, "prod")) })
	}
	wg.Wait()
	said := ""
	for _, r := range results {
		if r.exit != 1 || r.stdout != "" {
			t.Errorf("%+v", r)
		}
		said += r.stderr
	}
	wantFailure(t, result{exit: 1, stderr: said}, "agent: not running")
	if n := strings.Count(said, "cwagent: "); n != 1 {
		t.Errorf("said %d times:\n%s", n, said)
	}
}

func TestOncePerKubectl(t *testing.T) {
	t.Parallel()
	absent := ipctest.SocketPath(t)
	socket, _ := serve(t)
	for range 2 { // each kubectl is a parent of its own
		for _, c := range []struct{ socket, name, want string }{
			{absent, "prod", "agent: not running"},
			{socket, "nobody", "nobody: no such credential"},
		} {
			r := runs(t, child(t, "kubectl", c.socket, c.name))
			wantFailure(t, r, c.want)
			if n := strings.Count(r.stderr, "cwagent: "); n != 1 {
				t.Errorf("said %d times:\n%s", n, r.stderr)
			}
		}
	}
	open := ipctest.SocketPath(t)
	if err := os.Chmod(filepath.Dir(open), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ socket, want string }{ // where no socket can be
		{filepath.Join(filepath.Dir(absent), "gone", "cwagent", "agent.sock"), "agent: not running"},
		{open, "agent: not running"},
		{"agent.sock", "not an absolute path"},
		{"/" + strings.Repeat("x", 200), "bytes, this system allows"},
	} {
		r := runs(t, child(t, "kubectl", c.socket, "prod"))
		wantFailure(t, r, c.want)
		if n := strings.Count(r.stderr, "cwagent: "); n != 1 {
			t.Errorf("%s: said %d times:\n%s", c.socket, n, r.stderr)
		}
	}
	r := runs(t, child(t, "kubectl", socket, "prod"))
	if r.exit != 0 || r.stderr != "" || strings.Count(r.stdout, token) != 6 {
		t.Errorf("%+v", r)
	}
}

// The plugin ends although nobody reads what it writes.
func TestStuckStdout(t *testing.T) {
	t.Parallel()
	socket := ipctest.Serve(t, replying{reply: ipc.FetchReply{Stdout: bytes.Repeat([]byte("x"), 1<<20)}})
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	cmd := child(t, "plugin", socket, "prod")
	cmd.Stdout = w
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != 1 {
		t.Error(err)
	}
}

// Where nothing can be noted beside the socket, it is noted elsewhere. Root may
// write anywhere, so this is somebody else's plugin.
func TestUnwritableFolder(t *testing.T) {
	t.Parallel()
	ipctest.NeedRoot(t)
	socket := ipctest.SocketPath(t)
	dir := filepath.Dir(socket)
	if err := errors.Join(os.Chown(dir, ipctest.Nobody, ipctest.Nobody), os.Chmod(dir, 0o500)); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		cmd := child(t, "plugin", socket, "prod")
		ipctest.AsNobody(t, cmd)
		wantOnce(t, i, runs(t, cmd), "agent: not running")
	}
	// Nor is a folder that somebody else owns a place to note anything.
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		wantOnce(t, i, runs(t, child(t, "plugin", socket, "prod")), "agent: not running")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("it left %v, %v", left, err)
	}
}

// wantOnce wants the first of several runs to fail in words, the others without.
func wantOnce(t *testing.T, i int, r result, words ...string) {
	t.Helper()
	if i > 0 {
		wantSilence(t, r)
		return
	}
	wantFailure(t, r, words...)
}

// An agent of another user is not asked, however it came to listen there.
func TestAgentOfAnother(t *testing.T) {
	t.Parallel()
	ipctest.NeedRoot(t)
	socket, _ := serve(t)
	dir := filepath.Dir(socket)
	if err := errors.Join(os.Chmod(socket, 0o666), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	cmd := child(t, "plugin", socket, "prod")
	ipctest.AsNobody(t, cmd)
	wantFailure(t, runs(t, cmd), fmt.Sprintf("served by user id %d, not by you", os.Getuid()), "hint: ")
}
