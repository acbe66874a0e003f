package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdCrowd runs a program many times at once: crowd 50 kubectl get ns. Each one has
// to succeed; with "!" each has to fail and to say why, in our words, once.
func cmdCrowd(ts *testscript.TestScript, neg bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	program := filepath.Join(filepath.SplitList(ts.Getenv("PATH"))[0], args[1])
	var mu sync.Mutex
	wrong := ""
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			c := exec.Command(program, args[2:]...)
			c.Dir, c.Env = ts.MkAbs("."), environ(ts)
			var out bytes.Buffer
			c.Stderr = &out
			err := c.Run()
			lines := strings.Count("\n"+out.String(), "\ncwagent: ")
			if (err != nil) != neg || neg && lines != 1 || !neg && lines != 0 {
				mu.Lock()
				defer mu.Unlock()
				wrong += out.String() + "\n"
			}
		})
	}
	wg.Wait()
	if wrong != "" {
		ts.Fatalf("of %d:\n%s", n, wrong)
	}
}

// cmdHammer asks for a token twenty times a second, as programs do that do not
// care how the keyring is: hammer 3s NAME. Each call must bring a token, with
// "!" each must bring our own error instead; none may take longer than the
// plugin promises.
func cmdHammer(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: hammer DURATION NAME")
	}
	duration, err := time.ParseDuration(args[0])
	ts.Check(err)
	plugin := filepath.Join(filepath.SplitList(ts.Getenv("PATH"))[0], "cwagent-credential")
	env := append(environ(ts), `KUBERNETES_EXEC_INFO={"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{}}`)

	var mu sync.Mutex
	var slowest time.Duration
	calls, wrong := 0, ""
	call := func() {
		c := exec.Command("sh", "-c", `"$0" "$1"; code=$?; :; exit $code`, plugin, args[1]) // a parent of its own
		c.Env = env
		var out bytes.Buffer
		c.Stdout, c.Stderr = &out, &out
		start := time.Now()
		err := c.Run()
		took := time.Since(start)
		mu.Lock()
		defer mu.Unlock()
		calls++
		slowest = max(slowest, took)
		if (err != nil) != neg || neg && !strings.HasPrefix(out.String(), "cwagent: ") {
			wrong = strings.ReplaceAll(out.String(), "CW-SECRET-", "...")
		}
	}
	var wg sync.WaitGroup
	tick := time.NewTicker(time.Second / 20)
	defer tick.Stop()
	for range int(duration / (time.Second / 20)) {
		wg.Go(call)
		<-tick.C
	}
	wg.Wait()
	ts.Logf("%d calls, the slowest took %v", calls, slowest)
	if wrong != "" {
		ts.Fatalf("a call went wrong: %s", wrong)
	}
	// The plugin's own limit is two seconds; starting it on a busy machine takes some, too.
	if slowest > 2500*time.Millisecond {
		ts.Fatalf("a call took %v", slowest)
	}
}
