package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/ipctest"
)

// A kubeconfig that other machines share keeps its token while the store is this
// machine's own. No such file system can be mounted here, so the kernel's answer
// is made up; package kubeconfig has the list of those that count.
func TestImportFromSharedFilesystem(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config")
	const text = "apiVersion: v1\nkind: Config\nusers:\n- name: a\n  user:\n    token: CW-SECRET-shared\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	plan := func(ephemeral bool) error {
		c := &cli{in: strings.NewReader(""), out: &out, err: &out, getenv: func(string) string { return "" }, now: time.Now}
		p := &planner{
			cli: c, agent: &ipctest.Fake{}, plugin: "/usr/bin/cwagent-credential",
			flags:  importFlags{ephemeral: ephemeral, yes: true},
			shared: func(string) (string, bool) { return "Lustre", true },
		}
		return p.read(t.Context(), []string{path})
	}
	err := plan(false)
	if err == nil || !strings.Contains(err.Error(), "it lies on Lustre, and the other machines that share it cannot reach this one's keyring") {
		t.Errorf("plan = %v", err)
	}
	if err := plan(true); err != nil {
		t.Errorf("with --ephemeral: %v", err)
	}
	var e *ipc.Error
	if !errors.As(err, &e) || e.Hint != "--ephemeral accepts that for this machine; nothing was changed" {
		t.Errorf("hint of %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != text {
		t.Error("the file was changed")
	}
}
