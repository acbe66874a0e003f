package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/cwagent/cwagent/agent/audit"
	"github.com/cwagent/cwagent/credplugin"
)

// TestMain lets the test binary be the two programs, as processes of their own
// and, under go test -race, with the race detector in them.
func TestMain(m *testing.M) {
	testscript.Main(tests{m}, map[string]func(){
		"cwagent":            main,
		"awskeys":            awsKeys,
		"cwagent-credential": func() { os.Exit(credplugin.Run(os.Args[1:], os.Getenv, os.Stdout, os.Stderr)) },
	})
}

// tests ends what the tests have started for all of them.
type tests struct{ *testing.M }

func (t tests) Run() int {
	defer stopTestbed()
	return t.M.Run()
}

// TestScript runs testdata/script: what a person types and what they see. Every
// message that a person can see stands in one of them.
func TestScript(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: home,
		Cmds:  commands,
		Condition: func(cond string) (bool, error) {
			if cond != "systemd" {
				return false, fmt.Errorf("unknown condition %q", cond)
			}
			_, err := os.Stat("/run/systemd/system")
			return err == nil, nil
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

// home gives a script a HOME and a runtime folder of its own. The socket's path
// must be short, so the runtime folder is not below the script's.
func home(env *testscript.Env) error {
	run, err := os.MkdirTemp("", "cw")
	if err != nil {
		return err
	}
	env.Defer(func() { os.RemoveAll(run) })
	env.Setenv("HOME", env.WorkDir)
	env.Setenv("XDG_RUNTIME_DIR", run)
	env.Setenv("TZ", "UTC")
	// An agent with a variable of its own is not started again by the plugin: no
	// script has one that it does not know of.
	env.Setenv("CWAGENT_STATE_DIR", filepath.Join(env.WorkDir, ".local", "state", "cwagent"))
	env.Setenv("AUDIT", audit.Path(env.Getenv("CWAGENT_STATE_DIR")))
	env.Setenv("GORACE", "atexit_sleep_ms=0") // else every program of a script ends a second later
	if err := configure(env, "https://127.0.0.1:1", ""); err != nil {
		return err
	}
	// The test's own plugin lies in a temporary folder, which import refuses.
	for _, dir := range filepath.SplitList(env.Getenv("PATH")) {
		if p := filepath.Join(dir, "cwagent-credential"); executable(p) {
			env.Setenv("PLUGIN", p)
			break
		}
	}
	return nil
}

// configure writes the script's config.yaml: nobody is asked about a token but
// the endpoint given. The one at port 1 is nobody.
func configure(env *testscript.Env, endpoint, ca string) error {
	dir := filepath.Join(env.WorkDir, ".config", "cwagent")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	text := fmt.Sprintf("coreweave: {endpoint: %q, caFile: %q}\n", endpoint, ca)
	return os.WriteFile(filepath.Join(dir, "config.yaml"), []byte(text), 0o600)
}

// commands are what scripts have beside testscript's own.
var commands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"agent":  cmdAgent,
	"signal": cmdSignal,
	"exits":  cmdExits,
	"mode":   cmdMode,
}

// cmdAgent starts "cwagent agent" and waits until it says that it serves. Its
// log is agent.log in the script's folder. "agent stop" ends it: not "stop",
// which is testscript's own and ends the script.
func cmdAgent(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 1 && args[0] == "stop" {
		stopAgent(ts)
		return
	}
	path, err := lookPath(ts, "cwagent")
	ts.Check(err)
	c := exec.Command(path, append([]string{"agent"}, args...)...)
	c.Dir = ts.MkAbs(".")
	c.Env = environ(ts)
	stderr, err := c.StderrPipe()
	ts.Check(err)
	ts.Check(c.Start())
	log, err := os.Create(ts.MkAbs("agent.log"))
	ts.Check(err)

	lines := bufio.NewReader(stderr)
	serving, said := false, ""
	for !serving {
		line, err := lines.ReadString('\n')
		io.WriteString(log, line)
		said += line
		if err != nil {
			c.Wait()
			ts.Fatalf("the agent ended: %s", said)
		}
		serving = strings.Contains(line, "msg=serving") || strings.Contains(line, "msg=locked")
	}
	done := make(chan error, 1)
	go func() {
		io.Copy(log, lines)
		log.Close()
		done <- c.Wait()
	}()
	a := &running{c, done}
	agents.Store(ts.MkAbs("."), a)
	ts.Setenv("AGENT_PID", fmt.Sprint(c.Process.Pid))
	ts.Defer(func() { a.end(os.Kill) })
}

// lookPath finds a program in the script's PATH.
func lookPath(ts *testscript.TestScript, name string) (string, error) {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if p := filepath.Join(dir, name); executable(p) {
			return p, nil
		}
	}
	return "", fmt.Errorf("%s is not in the script's PATH", name)
}

// environ is what programs of a script see.
func environ(ts *testscript.TestScript) []string {
	env := []string{}
	for _, name := range []string{"HOME", "PATH", "XDG_RUNTIME_DIR", "TZ", "CWAGENT_SOCKET", "CWAGENT_STATE_DIR", "CWAGENT_CONFIG", "XDG_STATE_HOME", "XDG_DATA_HOME", "DBUS_SESSION_BUS_ADDRESS", "KUBECONFIG", "BROWSER", "GOCOVERDIR"} {
		if v := ts.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// stopAgent ends the agent by SIGTERM and waits; it must leave with 0.
func stopAgent(ts *testscript.TestScript) {
	a, ok := agents.LoadAndDelete(ts.MkAbs("."))
	if !ok {
		ts.Fatalf("no agent runs")
	}
	if err := a.(*running).end(terminate); err != nil {
		ts.Fatalf("the agent left with %v", err)
	}
}

// cmdSignal sends the agent a signal by name: signal stop, signal cont.
func cmdSignal(ts *testscript.TestScript, neg bool, args []string) {
	a, ok := agents.Load(ts.MkAbs("."))
	if !ok || len(args) != 1 || signals[args[0]] == nil {
		ts.Fatalf("usage: signal %v, while an agent runs", signals)
	}
	if args[0] == "kill" {
		a.(*running).end(signals["kill"]) // gone, lock and socket too, before the next one starts
		return
	}
	ts.Check(a.(*running).cmd.Process.Signal(signals[args[0]]))
}

// cmdExits runs a program and compares its exit code: exits 3 cwagent status.
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG...")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if exit, ok := err.(*exec.ExitError); ok {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// cmdMode compares a file's mode: mode 0600 FILE.
func cmdMode(ts *testscript.TestScript, neg bool, args []string) {
	info, err := os.Lstat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}
