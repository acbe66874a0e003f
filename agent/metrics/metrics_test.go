package metrics_test

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/metrics"
	"github.com/cwagent/cwagent/ipc"
)

func at(s string) *time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return &t
}

// sample is an agent that has a credential of each kind, and what has happened.
func sample() (*metrics.Meter, ipc.Status, agent.Counts) {
	m := &metrics.Meter{GoVersion: "go1.26.0"}
	for _, took := range []time.Duration{30 * time.Microsecond, 50 * time.Microsecond, 51 * time.Microsecond, time.Second, 3 * time.Second} {
		m.Fetch(ipc.CodeOK, took)
	}
	m.Fetch(ipc.CodeLocked, time.Millisecond)
	m.Fetch(ipc.CodeInternal, time.Millisecond)
	s := ipc.Status{
		Agent: ipc.AgentInfo{Version: "1.2.3", Started: *at("2026-11-24T12:00:00Z")},
		Audit: &ipc.AuditInfo{Dropped: 2},
		Store: ipc.StoreInfo{Kind: "keyring", Trouble: "since 12:00:00: it is locked"},
		Credentials: []ipc.Credential{
			{Name: "cron", State: ipc.StateDue, Expiry: ipc.ExpiryNever, Saved: true},
			{Name: "empty", State: ipc.StateEmpty, Expiry: ipc.ExpiryUnknown},
			{Name: "prod", State: ipc.StateValid, Expiry: ipc.ExpiryKnown, Expires: at("2026-12-31T23:59:59.5Z"), Saved: true},
			{Name: "unknown", State: ipc.StateLocked, Expiry: ipc.ExpiryUnknown, Saved: true},
		},
	}
	n := agent.Counts{
		Fetches: []agent.Count{
			{Values: []string{"", "not_found"}, N: 1},
			{Values: []string{"prod", "given"}, N: 1 << 40},
			{Values: []string{"prod", "not_bound"}, N: 3},
		},
		Rotations:     []agent.Count{{Values: []string{"command", ""}, N: 4}, {Values: []string{"standby", ""}}},
		NoNext:        []agent.Count{{Values: []string{"transient", ""}, N: 5}},
		Verifications: []agent.Count{{Values: []string{"alive", ""}, N: 6}, {Values: []string{"rejected", ""}}},
		StoreErrors:   []agent.Count{{Values: []string{"get", "locked"}, N: 7}},
	}
	return m, s, n
}

// The whole of it, as it is written: names and labels are what alerts and dashboards
// are made of, and stay.
func TestGolden(t *testing.T) {
	t.Parallel()
	m, s, n := sample()
	got := m.Expose(s, n)
	golden := filepath.Join("testdata", "cwagent.prom")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%v; UPDATE=1 writes what is:\n%s", err, got)
	}
}

// Prometheus' own linter has nothing to say about it, nor about an agent that is new.
func TestLint(t *testing.T) {
	t.Parallel()
	m, s, n := sample()
	for _, text := range [][]byte{m.Expose(s, n), new(metrics.Meter).Expose(ipc.Status{}, agent.Counts{})} {
		problems, err := promlint.New(bytes.NewReader(text)).Lint()
		if err != nil || len(problems) > 0 {
			t.Errorf("%v, %v in\n%s", err, problems, text)
		}
	}
}

// parse reads it as node_exporter does.
func parse(t *testing.T, text []byte) map[string]*dto.MetricFamily {
	t.Helper()
	p := expfmt.NewTextParser(model.LegacyValidation)
	families, err := p.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return families
}

// labels are those of a sample, by name.
func labels(m *dto.Metric) map[string]string {
	out := map[string]string{}
	for _, l := range m.GetLabel() {
		out[l.GetName()] = l.GetValue()
	}
	return out
}

func TestParse(t *testing.T) {
	t.Parallel()
	m, s, n := sample()
	families := parse(t, m.Expose(s, n))
	ends := map[string]float64{}
	for _, x := range families["cwagent_token_expiry_timestamp_seconds"].GetMetric() {
		ends[labels(x)["credential"]] = x.GetGauge().GetValue()
	}
	if len(ends) != 2 || !math.IsInf(ends["cron"], 1) || ends["prod"] != 1798761599.5 {
		t.Errorf("ends %v", ends)
	}
	in := map[string]string{}
	for _, x := range families["cwagent_credential_state"].GetMetric() {
		if x.GetGauge().GetValue() == 1 {
			in[labels(x)["credential"]] += labels(x)["state"]
		}
	}
	for _, c := range s.Credentials {
		if in[c.Name] != string(c.State) {
			t.Errorf("%s is %q, want %s alone", c.Name, in[c.Name], c.State)
		}
	}
	h := families["cwagent_fetch_duration_seconds"].GetMetric()[0].GetHistogram()
	if h.GetSampleCount() != 7 || math.Abs(h.GetSampleSum()-4.002131) > 1e-9 || h.GetBucket()[0].GetCumulativeCount() != 2 || h.GetBucket()[1].GetCumulativeCount() != 3 {
		t.Errorf("histogram %v", h)
	}
}

// No name can end its label, or say anything else in its place. The ledger is a file:
// who can write to it can put any there.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		`"} 1`, "a\nb 2", `\`, `\"`, `a\nb`, "{}", "# HELP x", "\x00\r\t", "ümläut ☃", "{credential=\"x\",state=\"valid\"} 1\n#", "\u2028", "",
	} {
		m, s, n := sample()
		s.Credentials = []ipc.Credential{{Name: name, State: ipc.StateValid, Expiry: ipc.ExpiryNever}}
		s.Agent.Version, s.Store.Kind = name, name
		n.Fetches = []agent.Count{{Values: []string{name, name}, N: 1}}
		text := m.Expose(s, n)
		families := parse(t, text)
		for _, family := range []string{"cwagent_credential_saved", "cwagent_token_expiry_timestamp_seconds", "cwagent_fetches_total"} {
			if got := labels(families[family].GetMetric()[0])["credential"]; got != name {
				t.Errorf("%q became %q in\n%s", name, got, text)
			}
		}
		for family := range families {
			if !strings.HasPrefix(family, "cwagent_") {
				t.Errorf("%q made a family %q", name, family)
			}
		}
	}
	m, s, n := sample()
	s.Credentials[0].Name = "\xff\xfe\"\xc3"
	if got := labels(parse(t, m.Expose(s, n))["cwagent_credential_saved"].GetMetric()[0])["credential"]; got != "\uFFFD\"\uFFFD" {
		t.Errorf("what is not UTF-8 became %q", got)
	}
}
