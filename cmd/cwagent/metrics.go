package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/metrics"
	"github.com/cwagent/cwagent/agent/wall"
	"github.com/cwagent/cwagent/ipc"
)

func (c *cli) newMetrics() *cobra.Command {
	return &cobra.Command{
		Use:   "metrics",
		Short: "Print what there is to measure, for Prometheus",
		Long: `Print what there is to measure, in Prometheus' text format: when each token ends and
in which state its credential is, fetches by what came of them and how long they took,
rotations, verifications, and errors of the store. There is no secret in it, but there
are the names of the credentials. No agent is started for it, and a locked one answers, too.

The agent listens on no port. Prometheus gets this from node_exporter, which reads files:
let the agent write one, by this line in config.yaml

    metrics: {textfile: /var/lib/node_exporter/textfile/cwagent.prom}

and start node_exporter with --collector.textfile.directory=/var/lib/node_exporter/textfile,
a folder of this machine that you can write to. The file is written when there is
something new, at most every 15 seconds: that it is old means that nothing has happened.
It is removed when the agent ends. Or have cron write it:

    * * * * * cd /var/lib/node_exporter/textfile && cwagent metrics >.cwagent && mv .cwagent cwagent.prom

A rule that tells of a token three days before its end (one that never ends is at +Inf, one
whose end nobody knows has no sample), and one for whatever else wants a person:

    groups:
    - name: cwagent
      rules:
      - alert: TokenEnds
        expr: cwagent_token_expiry_timestamp_seconds - time() < 3 * 86400
      - alert: CredentialWantsYou
        expr: cwagent_credential_state{state=~"due|expired|refused|empty"} == 1
        for: 15m

Exit codes: 3 the agent cannot be reached.`,
		Example: `  cwagent metrics
  cwagent metrics | grep expiry`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a, err := c.running()
			if err != nil {
				return err
			}
			reply, err := a.Metrics(cmd.Context(), ipc.MetricsRequest{})
			if unreachable(err) {
				return failure{err, exitUnknown}
			}
			if err != nil {
				return err
			}
			_, err = io.WriteString(c.out, reply.Text)
			return err
		},
	}
}

// answered measures what the server has answered.
func (r *agentRun) answered(op ipc.Op, code ipc.Code, took time.Duration) {
	if op == ipc.OpFetch {
		r.meter.Fetch(code, took)
		r.set.measure.Note()
	}
}

// newTextfile is what the agent writes for node_exporter, if the config says so.
func (r *agentRun) newTextfile(a *agent.Agent) *metrics.Textfile {
	f := metrics.NewTextfile()
	f.Now, f.GoesOn = r.now, r.again.Load
	f.Alarm = func() metrics.Alarm { return wall.New() }
	f.Measure = func(ctx context.Context) ([]byte, time.Time) {
		s, n, until := a.Measure(ctx)
		return r.meter.Expose(s, n), until
	}
	f.Failed = func(path string, err error) { r.log.Warn("metrics are not written", "path", path, "error", err) }
	f.Set(r.set.first.Textfile)
	return f
}
