package ipctest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/cwagent/cwagent/ipc"
)

// outcome is how a fetch ended, as metrics name it.
type outcome struct{ credential, result string }

var outcomes = map[ipc.Code]string{ipc.CodeNotFound: "not_found", ipc.CodeNotBound: "not_bound", ipc.CodeMalformed: "malformed"}

// countLocked counts a fetch that ended with err.
func (f *Fake) countLocked(name string, err error) {
	o := outcome{name, "given"}
	if e := (*ipc.Error)(nil); errors.As(err, &e) {
		o.result = cmp.Or(outcomes[e.Code], "other")
	}
	if f.creds[name].Name == "" {
		o.credential = ""
	}
	if f.fetches == nil {
		f.fetches = map[outcome]int{}
	}
	f.fetches[o]++
}

// Metrics implements ipc.Agent. A fake counts fetches only.
func (f *Fake) Metrics(context.Context, ipc.MetricsRequest) (ipc.MetricsReply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var text strings.Builder
	text.WriteString("# TYPE cwagent_fetches_total counter\n")
	for o, n := range f.fetches {
		fmt.Fprintf(&text, "cwagent_fetches_total{credential=%q,result=%q} %d\n", o.credential, o.result, n)
	}
	return ipc.MetricsReply{Text: text.String()}, nil
}
