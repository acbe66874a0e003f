package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent/rewritten"
	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/ipctest"
)

// storing is an agent with that store.
type storing struct {
	*ipctest.Fake
	store ipc.StoreInfo
}

func (s storing) Status(context.Context, ipc.StatusRequest) (ipc.Status, error) {
	return ipc.Status{Store: s.store}, nil
}

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
	dir := t.TempDir()
	plan := func(ephemeral bool, store ipc.StoreInfo) error {
		c := &cli{in: strings.NewReader(""), out: &out, err: &out, getenv: func(string) string { return "" }, now: time.Now}
		p := &planner{
			cli: c, agent: storing{&ipctest.Fake{}, store}, plugin: "/usr/bin/cwagent-credential", folder: rewritten.Folder{Dir: dir},
			flags:  importFlags{ephemeral: ephemeral, yes: true},
			shared: func(string) (string, bool) { return "Lustre", true },
		}
		return p.read(t.Context(), []string{path})
	}
	keyring, file := ipc.StoreInfo{Kind: "keyring", OneHost: true}, ipc.StoreInfo{Kind: "file"}
	err := plan(false, keyring)
	if err == nil || !strings.Contains(err.Error(), "it lies on Lustre, and the other machines that share it cannot reach this one's keyring") {
		t.Errorf("plan = %v", err)
	}
	if err := plan(true, keyring); err != nil {
		t.Errorf("with --ephemeral: %v", err)
	}
	if err := plan(false, file); err != nil {
		t.Errorf("a store that lies there, too: %v", err)
	}
	dir = "/proc" // another file system
	if err := plan(false, file); err == nil {
		t.Error("a store that lies elsewhere")
	}
	var e *ipc.Error
	if !errors.As(err, &e) || e.Hint != "cwagent store init file makes a store that they reach, where the HOME is theirs, too; --ephemeral accepts that for this machine; nothing was changed" {
		t.Errorf("hint of %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != text {
		t.Error("the file was changed")
	}
}
