package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/client"
)

// With 100 credentials a person sees the status before 30 ms are over, and a prompt
// waits at most four times as long as for the plugin, the least that a program of ours
// takes to ask the agent. The quickest of many runs counts: whatever else the machine
// does only makes them slower.
func TestStatusSpeed(t *testing.T) {
	b := newBench(t)
	defer b.fresh()()
	a := client.Client{Path: filepath.Join(b.dir, "cwagent", "agent.sock")}
	server := ipc.Server{URL: "https://cw7f2e-ac58c12a.k8s.us-east-04a.coreweave.com:443"}
	for i := range 100 {
		ends := time.Now().Add(time.Duration(i+1) * time.Hour)
		if _, err := a.Add(t.Context(), ipc.AddRequest{
			Name: fmt.Sprintf("c%d", i), Secret: ipc.NewSecret(fmt.Sprintf("CW-SECRET-%032d", i)), ID: fmt.Sprintf("cwtoken-%08x", i),
			Expiry: ipc.ExpiryKnown, Expires: &ends, Servers: []ipc.Server{server}, Ephemeral: true, NoVerify: true,
		}); err != nil {
			t.Fatal(err)
		}
	}
	info := `KUBERNETES_EXEC_INFO={"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","spec":{"cluster":{"server":"` +
		server.URL + `"},"interactive":false}}`
	runs := [][]string{{"cwagent-credential", "c7"}, {"cwagent", "status", "--short"}, {"cwagent", "status"}}
	took := make([][]time.Duration, len(runs))
	best := func(i int) float64 { return slices.Min(took[i]).Seconds() * 1000 }
	enough := func(runs int) bool { return runs >= 40 && best(1) <= 4*best(0) && best(2) <= 30 || runs == 200 }
	for n := 0; !enough(n); n++ { // in turn, so that what else happens hits them alike
		for i, args := range runs {
			c := b.command([]string{info}, args[0], args[1:]...)
			start := time.Now()
			out, err := c.Output()
			took[i] = append(took[i], time.Since(start))
			if err != nil && c.ProcessState.ExitCode() != exitDue {
				t.Fatalf("%q: %v, %q", args, err, out)
			}
		}
	}
	ratio := best(1) / best(0)
	t.Logf("the plugin takes %.1f ms, status --short %.1f ms, which is %.2f times as long, status %.1f ms", best(0), best(1), ratio, best(2))
	if ratio > 4 {
		t.Errorf("status --short: that is too much: at most 4")
	}
	if best(2) > 30 {
		t.Errorf("status: that is too much: at most 30 ms")
	}
}
