package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// systemCall is a line of strace -f -ttt: the process, the time in seconds, and the
// call's name.
var systemCall = regexp.MustCompile(`(?m)^\d+\s+(\d+\.\d+) (?:<\.\.\. )?([a-z_0-9]+)`)

// ofTheRuntime are the system calls that Go's runtime makes by itself: its
// monitor, its scavenger, its look at how many processors it may use (the last
// two), and threads that go to sleep for longer.
var ofTheRuntime = map[string]bool{
	"futex": true, "nanosleep": true, "clock_nanosleep": true, "epoll_pwait": true, "epoll_pwait2": true, "restart_syscall": true,
	"madvise": true, "sched_yield": true, "tgkill": true, "getpid": true, "rt_sigreturn": true,
	"sched_getaffinity": true, "pread64": true,
}

// cmdQuiet watches the agent with strace for that long, in which nothing happens:
// quiet 60s. It must make no system call but those of Go's runtime, once two
// seconds have passed in which it comes to rest, and of those fewer than one a
// second: a clock that is looked at every 15 seconds makes more.
func cmdQuiet(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: quiet DURATION")
	}
	duration, err := time.ParseDuration(args[0])
	ts.Check(err)
	log := filepath.Join(ts.Getenv("XDG_RUNTIME_DIR"), "strace.log") // not in a folder that is watched
	c := exec.Command("timeout", "-s", "INT", fmt.Sprint(duration.Seconds()), "strace", "-f", "-ttt", "-q", "-o", log, "-p", ts.Getenv("AGENT_PID"))
	out, _ := c.CombinedOutput() // it ends by the signal
	counts, ours := map[string]int{}, false
	first := 0.0
	for _, m := range systemCall.FindAllStringSubmatch(readAll(log), -1) {
		at, err := strconv.ParseFloat(m[1], 64)
		ts.Check(err)
		if first == 0 {
			first = at
		}
		if at < first+2 {
			continue
		}
		counts[m[2]]++
		ours = ours || !ofTheRuntime[m[2]]
	}
	var lines []string
	for call, n := range counts {
		lines = append(lines, fmt.Sprintf("%d %s", n, call))
	}
	sort.Strings(lines)
	ts.Logf("in %v: %s", duration, strings.Join(lines, ", "))
	total := 0
	for _, n := range counts {
		total += n
	}
	if most := int(duration.Seconds()); ours || first == 0 || total > most {
		ts.Fatalf("strace: %s\n%s", out, readAll(log))
	}
}
