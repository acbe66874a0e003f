package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

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
