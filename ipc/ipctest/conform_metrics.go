package ipctest

import (
	"strings"
	"testing"

	"github.com/cwagent/cwagent/ipc"
)

// metrics wants each fetch to be counted before its answer is there, and no name
// that only a caller has brought.
func metrics(t *testing.T, a ipc.Agent) {
	mustAdd(t, a, request("prod", "1"))
	for range 3 {
		wantGiven(t, fetch(t, a, "prod", "v1", one.URL, caOne), "1")
	}
	wantRefusal(t, fetch(t, a, "prod", "v1", elsewhere.URL, nil))
	wantRefusal(t, fetch(t, a, "stranger", "v1", one.URL, caOne))
	reply, err := a.Metrics(t.Context(), ipc.MetricsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"# TYPE cwagent_fetches_total counter",
		`cwagent_fetches_total{credential="prod",result="given"} 3`,
		`cwagent_fetches_total{credential="prod",result="not_bound"} 1`,
		`cwagent_fetches_total{credential="",result="not_found"} 1`,
	} {
		if !strings.Contains("\n"+reply.Text, "\n"+line+"\n") {
			t.Errorf("without %s:\n%s", line, reply.Text)
		}
	}
	if strings.Contains(reply.Text, "stranger") {
		t.Errorf("a name that nobody has:\n%s", reply.Text)
	}
}
