package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// machines holds the agents of the machines that a script has, by the script's folder
// and the machine's name.
var machines sync.Map

// cmdHost is a machine that shares the script's HOME with others: a name and mounts
// of its own, and so a runtime folder of its own at the same place. Only root can.
//
//	host NAME agent|stop|kill    its agent
//	host NAME PROGRAM ARG...     runs it there
//
// The agent's log is NAME.log. $NAME is what runs a program there within another
// command: eventually 2s $login1 PROGRAM, as one word.
func cmdHost(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: host NAME agent|stop|kill|PROGRAM ARG...")
	}
	key := ts.MkAbs(args[0])
	switch v, ok := machines.Load(key); {
	case args[1] == "agent":
		startOn(ts, key, args[0])
	case !ok:
		ts.Fatalf("no agent runs on %s", args[0])
	case args[1] == "stop":
		ts.Check(v.(*running).end(terminate))
	case args[1] == "kill":
		_ = v.(*running).end(os.Kill)
	default:
		err := ts.Exec(ts.Getenv(args[0]), args[1:]...)
		if (err != nil) != neg {
			ts.Fatalf("%s, on %s: %v", strings.Join(args[1:], " "), args[0], err)
		}
	}
}

// startOn starts an agent on a new machine, with the same name as one that has ended
// perhaps.
func startOn(ts *testscript.TestScript, key, name string) {
	log, err := os.Create(key + ".log")
	ts.Check(err)
	defer log.Close()
	c := exec.Command("unshare", "--mount", "--uts", "sh", "-ec",
		`hostname "$0"; mount -t tmpfs -o mode=0700 none "$XDG_RUNTIME_DIR"; exec cwagent agent`, name)
	c.Dir, c.Env, c.Stderr = ts.MkAbs("."), environ(ts), log
	ts.Check(c.Start())
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	a := &running{c, done}
	machines.Store(key, a)
	ts.Defer(func() { a.end(os.Kill) })
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(readAll(key+".log"), "msg=serving"); <-again.C {
		if time.Now().After(deadline) {
			ts.Fatalf("it does not serve on %s: %s", name, readAll(key+".log"))
		}
	}
	enter := ts.MkAbs("on-" + name)
	text := "#!/bin/sh\nexec nsenter -t " + fmt.Sprint(c.Process.Pid) + " -m -u --wd=\"$PWD\" \"$@\"\n"
	ts.Check(os.WriteFile(enter, []byte(text), 0o700))
	ts.Setenv(name, enter)
}
