package main

import (
	"bytes"
	"flag"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

var hang = flag.Duration("hang", 10*time.Second, "how long a keyring hangs under load in TestEndToEnd/underload")

// An asker asks for a token twenty times a second, as programs do that do not care
// how the keyring is. An answer is a token or our own error, in the time that the
// plugin promises, or it is wrong.
type asker struct {
	plugin, name string
	env          []string

	stop chan struct{}
	all  sync.WaitGroup

	mu           sync.Mutex
	tokens, errs int
	slowest      time.Duration
	last, wrong  string // the last error, and what was neither
}

// askers holds the asker of each script, by the script's folder.
var askers sync.Map

func startAsker(ts *testscript.TestScript, name string) *asker {
	a := &asker{
		plugin: filepath.Join(filepath.SplitList(ts.Getenv("PATH"))[0], "cwagent-credential"),
		name:   name,
		env:    append(environ(ts), `KUBERNETES_EXEC_INFO={"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{}}`),
		stop:   make(chan struct{}),
	}
	a.all.Go(func() {
		tick := time.NewTicker(time.Second / 20)
		defer tick.Stop()
		for {
			a.all.Go(a.ask)
			select {
			case <-a.stop:
				return
			case <-tick.C:
			}
		}
	})
	return a
}

func (a *asker) ask() {
	c := exec.Command("sh", "-c", `"$0" "$1"; code=$?; :; exit $code`, a.plugin, a.name) // a parent of its own
	c.Env = a.env
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	start := time.Now()
	err := c.Run()
	took := time.Since(start)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.slowest = max(a.slowest, took)
	switch {
	case err == nil && errs.Len() == 0 && strings.Contains(out.String(), `"token":"CW-SECRET-`):
		a.tokens++
	case err != nil && out.Len() == 0 && strings.HasPrefix(errs.String(), "cwagent: "):
		a.errs++
		a.last = errs.String()
	default:
		a.wrong = strings.ReplaceAll(out.String()+errs.String(), "CW-SECRET-", "...")
	}
}

// end waits for the last answer and looks at all of them.
func (a *asker) end(ts *testscript.TestScript) {
	close(a.stop)
	a.all.Wait()
	ts.Logf("%d tokens and %d errors, the slowest after %v", a.tokens, a.errs, a.slowest)
	if a.wrong != "" {
		ts.Fatalf("neither a token nor our error: %s", a.wrong)
	}
	// The plugin's own limit is two seconds; starting it on a busy machine takes some, too.
	if a.slowest > 2500*time.Millisecond {
		ts.Fatalf("a call took %v", a.slowest)
	}
}

// cmdHammer asks for a while: hammer 3s NAME. Each answer must be a token, with "!"
// each must be an error.
func cmdHammer(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: hammer DURATION NAME")
	}
	duration, err := time.ParseDuration(args[0])
	ts.Check(err)
	a := startAsker(ts, args[1])
	<-time.After(duration)
	a.end(ts)
	if neg && a.tokens > 0 {
		ts.Fatalf("a token was given")
	}
	if !neg && a.errs > 0 {
		ts.Fatalf("no token: %s", a.last)
	}
}

// cmdAsk asks while the script goes on:
//
//	ask begin NAME
//	ask for 2s       goes on for so long
//	ask end          all that was answered were tokens; with "!" there were errors, too
func cmdAsk(ts *testscript.TestScript, neg bool, args []string) {
	what := strings.Join(args, " ")
	if name, ok := strings.CutPrefix(what, "begin "); ok {
		a := startAsker(ts, name)
		askers.Store(ts.MkAbs("."), a)
		return
	}
	if d, ok := strings.CutPrefix(what, "for "); ok {
		duration, err := time.ParseDuration(d)
		ts.Check(err)
		<-time.After(duration)
		return
	}
	v, ok := askers.LoadAndDelete(ts.MkAbs("."))
	if !ok || what != "end" {
		ts.Fatalf("usage: ask begin NAME|for DURATION|end")
	}
	a := v.(*asker)
	a.end(ts)
	if !neg && a.errs > 0 {
		ts.Fatalf("no token: %s", a.last)
	}
	if neg && (a.errs == 0 || a.tokens == 0) {
		ts.Fatalf("not both errors and tokens")
	}
}
