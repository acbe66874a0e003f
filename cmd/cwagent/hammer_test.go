package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

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
