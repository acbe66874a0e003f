package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// The sample of each form of the file that shuts the agent is read. One that a newer agent
// has written shuts it as well: nobody can open it, and it is left as it is.
func TestLatchForms(t *testing.T) {
	t.Parallel()
	sample, err := os.ReadFile("testdata/locked-v1.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		text  string
		opens bool
	}{
		"form 1": {string(sample), true},
		"newer":  {`{"version": 1000, "since": "2026-11-25T14:00:00Z"}`, false},
		"broken": {"{", false},
	} {
		synctest.Test(t, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "agent.sock")
			if err := os.WriteFile(path+".locked", []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			l := newLatch(&agentRun{cli: &cli{now: time.Now}, path: path, log: slog.New(slog.DiscardHandler)})
			if since, guarded := l.Shut(); since.IsZero() || !guarded {
				t.Errorf("%s: %v, %v", name, since, guarded)
			}
			for _, wrong := range []string{"wrong", ""} {
				if err := l.Open(t.Context(), ipc.NewSecret(wrong)); err == nil {
					t.Errorf("%s: opened by %q", name, wrong)
				}
			}
			if now, _ := os.ReadFile(path + ".locked"); string(now) != tt.text {
				t.Errorf("%s became %s", name, now)
			}
			if err := l.Open(t.Context(), ipc.NewSecret("a passphrase")); (err == nil) != tt.opens {
				t.Errorf("%s: %v", name, err)
			}
		})
	}
}
