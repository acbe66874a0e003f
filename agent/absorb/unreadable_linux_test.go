package absorb_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/absorb"
	"github.com/cwagent/cwagent/agent/rewritten"
	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/ipctest"
)

func TestMain(m *testing.M) {
	ipctest.Main(m, map[string]func([]string) int{"watch": watchAsNobody})
}

// nobody is an agent without credentials.
type nobody struct{ ipctest.Fake }

func (*nobody) Recognize(ipc.Secret) []agent.Holding { return nil }

func (*nobody) Former(context.Context, string, ipc.Secret, string) (agent.Holding, bool, error) {
	return agent.Holding{}, false, nil
}

// watchAsNobody watches STATE KUBECONFIG DOWNLOADS, and says how they are whenever
// that changes, until stdin ends.
func watchAsNobody(args []string) int {
	w := absorb.New(absorb.Config{
		Agent: &nobody{}, Rewritten: rewritten.Folder{Dir: args[0]}, Consent: absorb.Consent{Dir: args[0]},
		Plugin: func() (string, error) { return plugin, nil }, Shared: func(string) (string, bool) { return "", false }, Everywhere: func(string) bool { return true },
		Settings: absorb.Settings{Kubeconfigs: args[1:2], Downloads: args[2:3], OnStaticToken: absorb.Absorb},
		Now:      time.Now, Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); w.Run(ctx) }()
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); cancel() }()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for last := ""; ctx.Err() == nil; {
		if b, _ := json.Marshal(w.Watched()); string(b) != last {
			last = string(b)
			fmt.Println(last)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	<-done
	return 0
}

// What may not be read is said with what a person can do, and is looked at as soon
// as it may be. Root may read everything, so another user has to look.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "cwa")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	state, config, downloads := filepath.Join(dir, "state"), filepath.Join(dir, "kube", "config"), filepath.Join(dir, "Downloads")
	for _, d := range []string{state, filepath.Dir(config), downloads} {
		must(t, os.Mkdir(d, 0o755))
	}
	must(t, os.WriteFile(config, []byte(written("me", first, prod)), 0o600))
	must(t, os.Chmod(dir, 0o755))
	must(t, os.Chmod(downloads, 0o700))

	cmd := ipctest.Child(t, "watch", state, config, downloads)
	ipctest.AsNobody(t, cmd)
	must(t, os.Chown(state, ipctest.Nobody, ipctest.Nobody))
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	lines := bufio.NewScanner(out)
	await := func(what string, ok func(all map[string]ipc.Watch) bool) {
		t.Helper()
		last := ""
		for lines.Scan() {
			last = lines.Text()
			var all []ipc.Watch
			must(t, json.Unmarshal([]byte(last), &all))
			by := map[string]ipc.Watch{}
			for _, x := range all {
				by[x.Path] = x
			}
			if ok(by) {
				return
			}
		}
		t.Fatalf("%s: %s", what, last)
	}
	await("both unreadable", func(all map[string]ipc.Watch) bool {
		d, k := all[downloads], all[config]
		return d.State == ipc.WatchUnreadable && strings.Contains(d.Hint, "right to read") &&
			k.State == ipc.WatchUnreadable && strings.Contains(k.Why, "permission denied")
	})
	must(t, os.Chmod(downloads, 0o755))
	await("readable", func(all map[string]ipc.Watch) bool { return all[downloads].State == ipc.WatchQuiet })
	path := filepath.Join(downloads, "CWKubeconfig_cwtoken-00000001-x")
	must(t, os.WriteFile(path, []byte(written("token", first, prod)), 0o644))
	must(t, os.Chmod(config, 0o644))
	await("found", func(all map[string]ipc.Watch) bool {
		return all[path].State == ipc.WatchFound && all[config].State == ipc.WatchFound
	})
	must(t, in.Close())
	must(t, cmd.Wait())
}
