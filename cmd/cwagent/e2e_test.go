package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/cwagent/cwagent/agent/state"
)

// TestEndToEnd runs testdata/e2e with the built programs, upstream's kubectl and
// a real API server. "make test" builds them.
func TestEndToEnd(t *testing.T) {
	t.Parallel()
	if err := missing(); err != nil {
		lacking(t, err.Error())
	}
	bin := built(t, "cwagent", "cwagent-credential", "testbed", "kubectl", "helm")
	bed, err := startTestbed(bin)
	if err != nil {
		t.Fatal(err)
	}
	url, err := exec.Command(filepath.Join(bin, "testbed"), "url", bed).Output()
	if err != nil {
		t.Fatal(err)
	}
	endpoint := strings.TrimSpace(string(url))
	cmds := map[string]func(*testscript.TestScript, bool, []string){
		"within":     cmdWithin,
		"eventually": cmdEventually,
		"host":       cmdHost,
		"holding":    cmdHolding,
		"secret":     cmdSecret,
		"nowhere":    cmdNowhere,
		"onlyin":     cmdOnlyIn,
		"untildead":  cmdUntilDead,
		"keyring":    cmdKeyring,
		"hammer":     cmdHammer,
		"ask":        cmdAsk,
		"tinydisk":   cmdTinyDisk,
		"steady":     cmdSteady,
		"quiet":      cmdQuiet,
		"crowd":      cmdCrowd,
		"terminal":   cmdTerminal,
		"keys":       cmdKeys,
		"shows":      cmdShows,
		"is":         cmdIs,
		"desk":       cmdDesk,
	}
	for name, cmd := range commands {
		cmds[name] = cmd
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/e2e",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+string(filepath.ListSeparator)+env.Getenv("PATH"))
			env.Setenv("BED", bed)
			env.Setenv("HANG", hang.String())
			if err := home(env); err != nil {
				return err
			}
			return configure(env, endpoint, filepath.Join(bed, "ca.crt"))
		},
		Cmds:                cmds,
		Condition:           condition,
		RequireExplicitExec: true,
	})
}

// condition is what a script can be skipped for, except in CI.
func condition(cond string) (bool, error) {
	var lacks error
	switch cond {
	case "root":
		if os.Geteuid() != 0 {
			lacks = errors.New("not root")
		}
	case "screen":
		lacks = screenMissing()
	case "terminal":
		_, lacks = exec.LookPath("tmux")
	case "node_exporter":
		_, lacks = exec.LookPath("prometheus-node-exporter")
	case "desk":
		lacks = deskMissing()
	default:
		return false, fmt.Errorf("unknown condition %q", cond)
	}
	if lacks != nil && os.Getenv("CI") == "true" {
		return false, fmt.Errorf("in CI nothing is skipped in silence: %w", lacks)
	}
	return lacks == nil, nil
}

// lacking skips a test for what this machine lacks, except in CI, where a skip
// would be a failure that nobody sees.
func lacking(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

// built returns the folder of the built programs.
func built(t testing.TB, programs ...string) string {
	t.Helper()
	bin, err := filepath.Abs("../../bin")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range programs {
		if !executable(filepath.Join(bin, p)) {
			lacking(t, "bin/"+p+" is not built: make build testbed")
		}
	}
	return bin
}

// the testbed of this test run: started by the first who needs it, ended by
// TestMain
var testbed struct {
	once sync.Once
	dir  string
	cmd  *exec.Cmd
	err  error
}

func startTestbed(bin string) (string, error) {
	testbed.once.Do(func() {
		testbed.dir, testbed.err = os.MkdirTemp("", "cwbed")
		if testbed.err != nil {
			return
		}
		c := exec.Command(filepath.Join(bin, "testbed"), "up", testbed.dir)
		stderr, err := c.StderrPipe()
		if testbed.err = err; err != nil {
			return
		}
		if testbed.err = c.Start(); testbed.err != nil {
			return
		}
		testbed.cmd = c
		line, err := bufio.NewReader(stderr).ReadString('\n')
		if err != nil || !strings.Contains(line, "ready") {
			testbed.err = fmt.Errorf("testbed: %q: %w", line, err)
		}
	})
	return testbed.dir, testbed.err
}

func stopTestbed() {
	if testbed.cmd != nil {
		testbed.cmd.Process.Signal(terminate)
		testbed.cmd.Wait()
	}
	if testbed.dir != "" {
		os.RemoveAll(testbed.dir)
	}
}

// cmdWithin runs a program that must end in time, whatever its exit code:
// within 2.5s kubectl get pods.
func cmdWithin(ts *testscript.TestScript, neg bool, args []string) {
	limit, err := time.ParseDuration(args[0])
	ts.Check(err)
	start := time.Now()
	err = ts.Exec(args[1], args[2:]...)
	if took := time.Since(start); took > limit {
		ts.Fatalf("it took %v", took)
	}
	if (err != nil) != neg {
		ts.Fatalf("exit: %v", err)
	}
}

// cmdEventually runs a program until it succeeds, at most for the time given:
// what heals by itself may take a moment.
func cmdEventually(ts *testscript.TestScript, neg bool, args []string) {
	limit, err := time.ParseDuration(args[0])
	ts.Check(err)
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	began := time.Now()
	for deadline := began.Add(limit); ; <-again.C {
		if err := ts.Exec(args[1], args[2:]...); err == nil {
			ts.Logf("after %v", time.Since(began))
			return
		} else if time.Now().After(deadline) {
			ts.Fatalf("not within %v: %v", limit, err)
		}
	}
}

// cmdHolding runs a program while another cwagent has the lock of a file of the state
// folder: holding rewriting sh -e FILE.
func cmdHolding(ts *testscript.TestScript, neg bool, args []string) {
	unlock, err := state.File{Dir: ts.Getenv("CWAGENT_STATE_DIR"), Name: args[0]}.Lock()
	ts.Check(err)
	defer unlock()
	if err := ts.Exec(args[1], args[2:]...); (err != nil) != neg {
		ts.Fatalf("%v: %v", args[1:], err)
	}
}

// secrets holds the tokens that scripts look for, out of their reach.
var secrets sync.Map

// cmdSecret remembers the token that a kubeconfig holds: secret FILE.
func cmdSecret(ts *testscript.TestScript, neg bool, args []string) {
	_, after, ok := strings.Cut(ts.ReadFile(args[0]), "token: CW-SECRET-")
	if !ok {
		ts.Fatalf("%s holds no token", args[0])
	}
	token, _, _ := strings.Cut("CW-SECRET-"+after, "\n")
	secrets.Store(ts.MkAbs("."), []byte(strings.TrimSpace(token)))
}

// cmdNowhere looks for the remembered token in every file below the folders
// named, and in the arguments and environment of every process of this machine.
func cmdNowhere(ts *testscript.TestScript, neg bool, args []string) {
	v, _ := secrets.Load(ts.MkAbs("."))
	token := v.([]byte)
	files := 0
	look := func(path string) {
		b, err := os.ReadFile(path)
		if err != nil {
			return // a process that has ended, or one of another user
		}
		files++
		if bytes.Contains(b, token) {
			ts.Fatalf("the token is in %s", path)
		}
	}
	for _, dir := range args {
		filepath.Walk(ts.MkAbs(dir), func(path string, info os.FileInfo, err error) error {
			if err == nil && info.Mode().IsRegular() {
				look(path)
			}
			return nil
		})
	}
	for _, kind := range []string{"cmdline", "environ"} {
		found, _ := filepath.Glob("/proc/[0-9]*/" + kind)
		for _, path := range found {
			look(path)
		}
	}
	ts.Logf("looked into %d files", files)
}

// cmdUntilDead runs a program again and again until our own message says that
// the token has expired. Before that it must succeed each time: a token that
// the server refuses would show as another error.
func cmdUntilDead(ts *testscript.TestScript, neg bool, args []string) {
	good := 0
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); good++ {
		c := exec.Command(filepath.Join(filepath.SplitList(ts.Getenv("PATH"))[0], args[0]), args[1:]...)
		c.Dir, c.Env = ts.MkAbs("."), environ(ts)
		var stderr bytes.Buffer
		c.Stderr = &stderr
		if c.Run() == nil {
			continue
		}
		if !strings.Contains(stderr.String(), "the token expired at") || good < 5 {
			ts.Fatalf("after %d calls: %s", good, stderr.String())
		}
		ts.Logf("%d calls succeeded, then: %s", good, stderr.String())
		return
	}
	ts.Fatalf("it never ended")
}
