package audit_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/audit"
	"github.com/cwagent/cwagent/ipc/ipctest"
	"github.com/cwagent/cwagent/ipc/peer"
)

// withJournal runs "$@" beside a real journald, in a mount namespace where /run is its
// own, and prints what that has got.
const withJournal = `set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal
/lib/systemd/systemd-journald 2>/dev/null & journald=$!
trap 'kill $journald; wait $journald || true' EXIT
for i in $(seq 100); do [ -S /run/systemd/journal/socket ] && break; sleep 0.1; done
"$@" >&2
timeout 10 journalctl --sync
timeout 10 journalctl -t cwagent-audit -o json --no-pager
`

// The journal gets what the file gets, in fields that can be looked for.
func TestJournal(t *testing.T) {
	if dir := os.Getenv("CWAGENT_TEST_JOURNAL"); dir != "" {
		l := audit.New()
		stop := run(t, l, dir, func(err error) { t.Error(err) })
		slog.New(l).Warn("not saved", "credential", "prod", "error", "line\nbreak")
		l.Given(agent.Use{At: time.Now(), Credential: "prod", Server: "https://a:443", Peer: peer.Peer{UID: 1000, Parent: peer.Process{PID: 1 << 22, Start: 1}}})
		stop()
		return
	}
	if os.Geteuid() != 0 {
		ipctest.Skip(t, "only root has a journald of its own")
	}
	if _, err := os.Stat("/lib/systemd/systemd-journald"); err != nil {
		ipctest.Skip(t, "no journald: make deps")
	}
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "unshare", "--mount", "--propagation", "private", "sh", "-c", withJournal, "sh", os.Args[0], "-test.run=^TestJournal$")
	cmd.Env = append(os.Environ(), "CWAGENT_TEST_JOURNAL="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	type entry struct {
		Message    string `json:"MESSAGE"`
		Priority   string `json:"PRIORITY"`
		Event      string `json:"CWAGENT_EVENT"`
		Credential string `json:"CWAGENT_CREDENTIAL"`
		Server     string `json:"CWAGENT_SERVER"`
		PID        string `json:"CWAGENT_PID"`
		Seq        string `json:"CWAGENT_SEQ"`
		Record     string `json:"CWAGENT_RECORD"`
	}
	var got []entry
	for line := range bytes.Lines(out) {
		var e entry
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if r, err := audit.Parse([]byte(e.Record)); err != nil || r.Msg != e.Event {
			t.Errorf("%q: %v", e.Record, err)
		}
		e.Record = ""
		got = append(got, e)
	}
	want := []entry{
		{"not saved error=line\nbreak", "4", "not saved", "prod", "", "", "1", ""},
		{"given out to a process that has ended (pid 4194304)", "6", "given out", "prod", "https://a:443", "4194304", "2", ""},
	}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("%+v\nwant %+v", got, want)
	}
}
