package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/client"
)

// cmdSteady runs kubectl ten times a second, as a pipeline does that takes many
// hours, while the tokens of a credential are renewed, and revokes each one that
// was replaced: steady 2m 5s NAME MINTED, where MINTED is a file with a line for
// each token that was minted, its name at the testbed. No call may fail; if tokens
// are revoked the instant that they are replaced (0s), one call a rotation may
// have set out with the old one.
func cmdSteady(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: steady DURATION DELAY NAME MINTED")
	}
	duration, err := time.ParseDuration(args[0])
	ts.Check(err)
	delay, err := time.ParseDuration(args[1])
	ts.Check(err)
	bin := filepath.SplitList(ts.Getenv("PATH"))[0]

	ctx, cancel := context.WithTimeout(context.Background(), duration)
	defer cancel()
	rotations, revoking := 0, sync.WaitGroup{}
	revoking.Go(func() {
		rotations = revokeReplaced(ctx, ts, delay, args[2], ts.MkAbs(args[3]))
	})
	calls, failed, tick := 0, 0, time.NewTicker(100*time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		c := exec.Command(filepath.Join(bin, "kubectl"), "get", "--raw", "/version")
		c.Dir, c.Env = ts.MkAbs("."), environ(ts)
		var stderr bytes.Buffer
		c.Stderr = &stderr
		if calls++; c.Run() != nil {
			failed++
			ts.Logf("call %d: %s", calls, stderr.String())
		}
		<-tick.C
	}
	revoking.Wait()
	ts.Logf("%d calls, %d rotations, replaced tokens revoked after %v: %d calls failed", calls, rotations, delay, failed)
	if most := map[bool]int{true: rotations}[delay == 0]; failed > most || rotations < int(duration/(20*time.Second)) {
		ts.Fatalf("%d of %d calls failed in %d rotations", failed, calls, rotations)
	}
}

// revokeReplaced revokes every token but the newest, that long after another one
// has taken over, until ctx ends. It returns how often that was.
func revokeReplaced(ctx context.Context, ts *testscript.TestScript, delay time.Duration, name, minted string) (rotations int) {
	agent := client.Client{Path: filepath.Join(ts.Getenv("XDG_RUNTIME_DIR"), "cwagent", "agent.sock")}
	testbed := filepath.Join(filepath.SplitList(ts.Getenv("PATH"))[0], "testbed")
	var later sync.WaitGroup
	defer later.Wait()
	var last time.Time
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return rotations
		case <-look.C:
		}
		s, err := agent.Status(context.Background(), ipc.StatusRequest{Name: name})
		if err != nil || s.Credentials[0].Added.Equal(last) {
			continue
		}
		first := last.IsZero()
		last = s.Credentials[0].Added
		lines := strings.Fields(readAll(minted))
		if first || len(lines) < 2 {
			continue
		}
		rotations++
		later.Go(func() {
			after := time.NewTimer(delay)
			defer after.Stop()
			select {
			case <-after.C:
				_ = exec.Command(testbed, "revoke", ts.Getenv("BED"), lines[len(lines)-2]).Run()
			case <-ctx.Done():
			}
		})
	}
}

func readAll(path string) string {
	b, _ := os.ReadFile(path)
	return string(b)
}
