// Package metrics writes down how the agent is as Prometheus reads it: its text
// format, version 0.0.4, over the socket (cwagent metrics) and, if the config names
// one, in a file for node_exporter's textfile collector. Nothing listens on a port.
//
// What it says is no secret: names of credentials, states, times and counts. Only
// credentials that there are have series of their own, whatever callers ask for.
//
// The format is written by hand, because each of the libraries for it costs every
// cwagent command 0.2 ms at its start (github.com/prometheus/common/expfmt, which also
// adds a tenth to the program, and github.com/VictoriaMetrics/metrics, which neither
// explains a metric nor quotes a label). Tests read it with the former, and have
// Prometheus' own linter judge the names.
package metrics

import (
	"math"
	"slices"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// states that a credential can be in
var states = []ipc.State{ipc.StateValid, ipc.StateDue, ipc.StateExpired, ipc.StateRefused, ipc.StateLocked, ipc.StateEmpty}

// Expose is an agent.Expose.
func (m *Meter) Expose(s ipc.Status, n agent.Counts) []byte {
	var p page
	p.family("cwagent_build_info", gauge, "Which program the agent is; always 1.")
	p.sample("", 1, "version", s.Agent.Version, "goversion", m.GoVersion)
	p.family("cwagent_start_time_seconds", gauge, "When the agent has begun, since the epoch. To lock it has it begin anew.")
	p.sample("", seconds(s.Agent.Started))
	p.family("cwagent_locked", gauge, "1 while the agent is locked and gives nothing out.")
	p.sample("", truth(s.Agent.Locked != nil))
	p.family("cwagent_store_up", gauge, "0 while the store of the tokens is known to give or take nothing. Tokens in memory are given out all the same.")
	p.sample("", truth(s.Store.Trouble == ""), "store", s.Store.Kind)
	p.family("cwagent_config_last_reload_successful", gauge, "0 while config.yaml as it is now is not in force.")
	p.sample("", truth(s.Config == ""))

	p.credentials(s.Credentials)

	p.family("cwagent_fetches_total", counter, "Requests of kubectl and the like, by what came of them. Without a credential: nobody has the name, or the agent as a whole gave nothing.")
	p.counts(slices.Concat(n.Fetches, m.barred()), "credential", "result")
	m.took.write(&p, "cwagent_fetch_duration_seconds", "From a whole request to its answer.")
	p.family("cwagent_rotations_total", counter, "Tokens that took over from others, by where they came from.")
	p.counts(n.Rotations, "source")
	p.family("cwagent_rotation_failures_total", counter, "Attempts that brought no next token, by what is to be expected: transient, refused, other.")
	p.counts(n.NoNext, "class")
	p.family("cwagent_verifications_total", counter, "Questions whether a token is alive, by the answer.")
	p.counts(n.Verifications, "verdict")
	p.family("cwagent_store_errors_total", counter, "Calls of the store that failed.")
	p.counts(n.StoreErrors, "operation", "reason")
	p.audit(s.Audit)
	return p.Bytes()
}

// credentials writes what there is to say of each. A token that never expires does so
// at +Inf, so that no comparison with it is ever true; one whose end nobody knows has
// no sample, and so has a credential without a token.
func (p *page) credentials(all []ipc.Credential) {
	if len(all) == 0 {
		return
	}
	p.family("cwagent_credential_state", gauge, "1 for the state that a credential is in, 0 for the others.")
	for _, c := range all {
		for _, state := range states {
			p.sample("", truth(c.State == state), "credential", c.Name, "state", string(state))
		}
	}
	p.family("cwagent_credential_saved", gauge, "1 if the token outlives the agent, 0 if it is in memory only.")
	for _, c := range all {
		p.sample("", truth(c.Saved), "credential", c.Name)
	}
	p.family("cwagent_token_expiry_timestamp_seconds", gauge, "When the current token ends, since the epoch: +Inf is never, and none that nobody knows.")
	for _, c := range all {
		switch {
		case c.State == ipc.StateEmpty:
		case c.Expiry == ipc.ExpiryNever:
			p.sample("", math.Inf(1), "credential", c.Name)
		case c.Expires != nil:
			p.sample("", seconds(*c.Expires), "credential", c.Name)
		}
	}
}

// audit writes how the audit log is; nil: all is well.
func (p *page) audit(a *ipc.AuditInfo) {
	if a == nil {
		a = &ipc.AuditInfo{}
	}
	p.family("cwagent_audit_up", gauge, "0 while nothing is written to the audit log.")
	p.sample("", truth(a.Trouble == ""))
	p.family("cwagent_audit_dropped_total", counter, "Records that are missing in the audit log, because the disk did not take them.")
	p.sample("", float64(a.Dropped))
}

func (p *page) counts(all []agent.Count, labels ...string) {
	for _, c := range all {
		var pairs []string
		for i, l := range labels {
			pairs = append(pairs, l, c.Values[i])
		}
		p.sample("", float64(c.N), pairs...)
	}
}

func truth(is bool) float64 {
	if is {
		return 1
	}
	return 0
}

// seconds since the epoch, to the millisecond.
func seconds(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
