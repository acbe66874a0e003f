package credplugin_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/cwagent/cwagent/credplugin"
	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/ipctest"
)

// result is what a run of the plugin did.
type result struct {
	exit           int
	stdout, stderr string
}

// run runs the plugin in this process, whose parent is then the plugin's.
func run(socket, execInfo string, args ...string) result {
	var stdout, stderr bytes.Buffer
	env := map[string]string{"CWAGENT_SOCKET": socket, "KUBERNETES_EXEC_INFO": execInfo}
	exit := credplugin.Run(args, func(name string) string { return env[name] }, &stdout, &stderr)
	return result{exit, stdout.String(), stderr.String()}
}

// wantFailure wants exit code 1, nothing on stdout, and those words in our
// voice.
func wantFailure(t *testing.T, r result, words ...string) {
	t.Helper()
	if r.exit != 1 || r.stdout != "" || !strings.HasPrefix(r.stderr, "cwagent: ") || !strings.HasSuffix(r.stderr, "\n") {
		t.Errorf("%+v", r)
	}
	for _, w := range words {
		if !strings.Contains(r.stderr, w) {
			t.Errorf("%q does not say %q", r.stderr, w)
		}
	}
}

// wantSilence wants a failure that says nothing, because it has been said.
func wantSilence(t *testing.T, r result) {
	t.Helper()
	if r != (result{exit: 1}) && runtime.GOOS != "windows" {
		t.Errorf("%+v", r)
	}
}

const token = "CW-SECRET-plugin"

// serve serves an agent that knows "prod", for callers without cluster info.
func serve(t *testing.T) (socket, execInfo string) {
	t.Helper()
	fake := &ipctest.Fake{}
	_, err := fake.Add(t.Context(), ipc.AddRequest{Name: "prod", Secret: ipc.NewSecret(token), Expiry: ipc.ExpiryNever, NoClusterInfo: true})
	if err != nil {
		t.Fatal(err)
	}
	return ipctest.Serve(t, fake), string(ipctest.ExecInfo(t, "v1", "", nil))
}

func TestArguments(t *testing.T) {
	t.Parallel()
	socket, info := serve(t)
	for _, args := range [][]string{nil, {""}, {"-h"}, {"--help"}, {"-"}, {"--version"}, {"prod", "test"}} {
		for range 2 { // whoever types it by hand is told each time
			wantFailure(t, run(socket, info, args...), "takes one argument", "hint: ", "cwagent status")
		}
	}
}

func TestSuccess(t *testing.T) {
	t.Parallel()
	socket, info := serve(t)
	for range 2 {
		r := run(socket, info, "prod")
		if r.exit != 0 || r.stderr != "" || !strings.Contains(r.stdout, `"token":"`+token+`"`) {
			t.Errorf("%+v", r)
		}
	}
	left, err := os.ReadDir(filepath.Dir(socket))
	if err != nil || len(left) != 1 {
		t.Errorf("it left something beside the socket: %v, %v", left, err)
	}
}

// The agent's bytes go where they belong, and its exit code is ours.
func TestCopies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		reply ipc.FetchReply
		want  result
	}{
		{ipc.FetchReply{Stdout: []byte("\x00out\xff"), Stderr: []byte("warning")}, result{0, "\x00out\xff", "warning"}},
		{ipc.FetchReply{Stdout: []byte("out"), Stderr: []byte("refused\n"), Exit: 7}, result{7, "", "refused\n"}},
		{ipc.FetchReply{Exit: 255}, result{255, "", ""}},
	} {
		if got := run(ipctest.Serve(t, replying{reply: c.reply}), "{}", "prod"); got != c.want {
			t.Errorf("%+v, want %+v", got, c.want)
		}
	}
	wantFailure(t, run(ipctest.Serve(t, replying{err: errors.New("out of cheese")}), "{}", "prod"), "agent: out of cheese", "hint: ")
}

// replying is an agent with one answer.
type replying struct {
	ipc.Agent
	reply ipc.FetchReply
	err   error
}

func (r replying) Fetch(context.Context, ipc.FetchRequest) (ipc.FetchReply, error) {
	return r.reply, r.err
}

func TestRefusalIsToldOnce(t *testing.T) {
	t.Parallel()
	socket, info := serve(t)
	wantFailure(t, run(socket, info, "nobody"), "nobody: no such credential", "hint: ")
	for range 4 {
		wantSilence(t, run(socket, info, "nobody"))
	}
	wantFailure(t, run(socket, info, "another"), "another: no such credential") // another outcome
	wantSilence(t, run(socket, info, "another"))
	wantSilence(t, run(socket, info, "nobody")) // the first one is not forgotten for it

	// A failure says nothing about the next request.
	if r := run(socket, info, "prod"); r.exit != 0 || r.stdout == "" || r.stderr != "" {
		t.Errorf("%+v", r)
	}
}

func TestNoAgent(t *testing.T) {
	t.Parallel()
	folder := filepath.Dir(ipctest.SocketPath(t))
	for name, socket := range map[string]string{
		"no socket":                     filepath.Join(folder, "agent.sock"),
		"no folder, which is then ours": filepath.Join(folder, "new", "agent.sock"),
		"no folder, nor its parent":     filepath.Join(folder, "a", "b", "agent.sock"),
	} {
		t.Log(name)
		wantFailure(t, run(socket, "{}", "prod"), "agent: not running", socket, "hint: start it with: cwagent agent\n")
		wantSilence(t, run(socket, "{}", "prod"))
	}
}

func TestExecInfoTooLarge(t *testing.T) {
	t.Parallel()
	socket, _ := serve(t)
	r := run(socket, strings.Repeat("x", ipc.MaxPart+1), "prod")
	wantFailure(t, r, "KUBERNETES_EXEC_INFO: larger than 128 KiB", "hint: ")
	// As much as execve lets through reaches the agent, which judges it.
	r = run(socket, strings.Repeat("x", ipc.MaxPart), "prod")
	wantFailure(t, r, "KUBERNETES_EXEC_INFO: not understood")
}

func TestSocketPathRefused(t *testing.T) {
	t.Parallel()
	unique := filepath.Dir(ipctest.SocketPath(t)) // what this parent has not heard of
	relative := strings.TrimPrefix(unique, "/") + ".sock"
	wantFailure(t, run(relative, "{}", "prod"), "CWAGENT_SOCKET", "not an absolute path", "hint: ")
	wantSilence(t, run(relative, "{}", "prod"))
	long := filepath.Join(unique, strings.Repeat("x", 200))
	wantFailure(t, run(long, "{}", "prod"), "bytes, this system allows", "hint: ")
	wantSilence(t, run(long, "{}", "prod"))
}

// Something else at the socket is no agent.
func TestBadAgent(t *testing.T) {
	t.Parallel()
	socket := ipctest.SocketPath(t)
	if err := os.WriteFile(socket, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wantFailure(t, run(socket, "{}", "prod"), "agent: not running")
}

type full struct{}

func (full) Write([]byte) (int, error) {
	return 0, errors.New("write /dev/stdout: no space left on device")
}

func TestStdoutBroken(t *testing.T) {
	t.Parallel()
	socket, info := serve(t)
	env := map[string]string{"CWAGENT_SOCKET": socket, "KUBERNETES_EXEC_INFO": info}
	var stderr bytes.Buffer
	exit := credplugin.Run([]string{"prod"}, func(name string) string { return env[name] }, full{}, &stderr)
	wantFailure(t, result{exit: exit, stderr: stderr.String()}, "/dev/stdout: no space left on device")
}
