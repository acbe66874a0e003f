//go:build unix

package credplugin_test

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/ipctest"
)

// hangs listens and never answers, until release is closed: then it answers
// every request with "fine".
func hangs(t *testing.T, release chan struct{}) (socket string, accepted chan time.Time) {
	t.Helper()
	socket = ipctest.SocketPath(t)
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	accepted = make(chan time.Time, 20)
	var wg sync.WaitGroup
	serve := func(c net.Conn) {
		defer c.Close()
		_, _ = ipc.ReadFrame(c, ipc.MaxPart, nil)
		select {
		case <-release:
			_, _ = c.Write(ipc.AppendFrame(nil, ipc.Frame{Version: 1, Parts: [3][]byte{[]byte("fine"), nil, {0}}}))
		default:
			_, _ = io.Copy(io.Discard, c)
		}
	}
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- time.Now()
			wg.Go(func() { serve(c) })
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	return socket, accepted
}

// A hung agent costs a kubectl of six runs two seconds once and a moment each
// other time, and one line. The time is counted from the first connection.
func TestHungAgent(t *testing.T) {
	t.Parallel()
	socket, accepted := hangs(t, nil)
	r := runs(t, child(t, "kubectl", socket, "prod"))
	took := time.Since(<-accepted)
	wantFailure(t, r, "agent: no answer in time", "hint: ")
	if n := strings.Count(r.stderr, "cwagent: "); n != 1 || len(accepted) != 5 {
		t.Errorf("said %d times, asked %d times more:\n%s", n, len(accepted), r.stderr)
	}
	if took > 6*time.Second { // each waiting for itself would take twelve
		t.Errorf("it took %v", took)
	}
}

// Who lives long, as k9s does, is served as soon as the agent answers again.
func TestHungAgentIsBack(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	socket, _ := hangs(t, release)
	wantFailure(t, run(socket, "{}", "prod"), "agent: no answer in time")
	wantSilence(t, run(socket, "{}", "prod"))
	close(release)
	for deadline := time.Now().Add(5 * time.Second); ; { // a busy machine may miss the moment
		r := run(socket, "{}", "prod")
		if r == (result{stdout: "fine"}) {
			return
		}
		wantSilence(t, r)
		if time.Now().After(deadline) {
			t.Fatal("it is not served again")
		}
	}
}

// Somebody who sits on the lock does not keep kubectl.
func TestLockHeld(t *testing.T) {
	t.Parallel()
	socket := ipctest.SocketPath(t)
	f, err := os.Create(filepath.Join(filepath.Dir(socket), "told"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	wantFailure(t, runs(t, child(t, "kubectl", socket, "prod")), "agent: not running")
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
}
