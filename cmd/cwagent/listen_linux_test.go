package main

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/ipctest"
)

// An agent that was handed a socket answers there, whatever its environment says: at
// least by why it cannot begin.
func TestHandedOver(t *testing.T) {
	t.Parallel()
	bin := built(t, "cwagent")
	for _, tt := range []struct {
		env  string
		mode os.FileMode // of the socket's folder
		want string
	}{
		{"CWAGENT_SOCKET=/nowhere/agent.sock", 0o700, "no such credential"},
		{"XDG_RUNTIME_DIR=/nowhere", 0o700, "no such credential"},
		{"CWAGENT_STATE_DIR=rel", 0o700, "agent: it cannot begin: CWAGENT_STATE_DIR: rel is not an absolute path"},
		{"CWAGENT_CONFIG=rel/x", 0o700, "agent: it cannot begin: CWAGENT_CONFIG: rel/x is not an absolute path"},
		{"LANG=C", 0o755, "is open to other users"},
	} {
		t.Run(tt.env, func(t *testing.T) {
			t.Parallel()
			path, home := ipctest.SocketPath(t), t.TempDir()
			manager, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
			if err != nil {
				t.Fatal(err)
			}
			defer manager.Close()
			if err := os.Chmod(filepath.Dir(path), tt.mode); err != nil {
				t.Fatal(err)
			}
			f, err := manager.File()
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			agent := exec.CommandContext(t.Context(), "sh", "-c", `LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" agent`, filepath.Join(bin, "cwagent"))
			agent.Env, agent.ExtraFiles = []string{"HOME=" + home, "PATH=/usr/bin:/bin", tt.env}, []*os.File{f}
			agent.Cancel = func() error { return agent.Process.Signal(syscall.SIGTERM) }
			if err := agent.Start(); err != nil {
				t.Fatal(err)
			}
			fetch := func() string {
				reply, err := ipc.Fetch(t.Context(), path, time.Now().Add(20*time.Second), ipc.FetchRequest{Name: "nobody", ExecInfo: []byte(execInfo)})
				var e *ipc.Error
				if errors.As(err, &e) && e.Hint != "" {
					return e.Text()
				}
				return string(reply.Stderr)
			}
			if said := fetch(); !strings.Contains(said, tt.want) {
				t.Errorf("%q", said)
			}
			if tt.mode != 0o700 { // what passes is not waited for by a restart
				if err := os.Chmod(filepath.Dir(path), 0o700); err != nil {
					t.Fatal(err)
				}
				for end := time.Now().Add(20 * time.Second); !strings.Contains(fetch(), "no such credential"); time.Sleep(time.Millisecond) {
					if time.Now().After(end) {
						t.Fatalf("it does not begin: %q", fetch())
					}
				}
			}
			if err := agent.Process.Signal(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
			if err := agent.Wait(); err != nil {
				t.Errorf("it ended by itself: %v", err)
			}
		})
	}
}

const execInfo = `{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","spec":{"interactive":false,"cluster":{"server":"https://x.example","config":null}}}`
