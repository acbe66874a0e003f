//go:build linux || darwin

package peer_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/cwagent/cwagent/ipc/ipctest"
	"github.com/cwagent/cwagent/ipc/peer"
)

func TestMain(m *testing.M) {
	ipctest.Main(m, map[string]func([]string) int{
		// connect says its pid to the socket and stays until stdin ends.
		"connect": func(args []string) int {
			c, err := net.Dial("unix", args[0])
			if err != nil {
				println(err.Error())
				return 1
			}
			_, _ = io.WriteString(c, strconv.Itoa(os.Getpid())+"\n")
			_, _ = io.Copy(io.Discard, os.Stdin)
			return 0
		},
	})
}

// start runs a child that connects, and returns the child, the connection to
// it, and what makes it leave.
func start(t *testing.T, cmd *exec.Cmd, l *net.UnixListener) (net.Conn, io.Closer) {
	t.Helper()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || line != strconv.Itoa(cmd.Process.Pid)+"\n" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	return c, stdin
}

func listen(t *testing.T) (string, *net.UnixListener) {
	t.Helper()
	path := ipctest.SocketPath(t)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return path, l
}

func of(t *testing.T, c net.Conn) peer.Peer {
	t.Helper()
	p, err := peer.Of(c.(*net.UnixConn))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestOfOurselves(t *testing.T) {
	t.Parallel()
	path, l := listen(t)
	near, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer near.Close()
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	began, err := peer.StartTime(os.Getpid())
	if err != nil || began == 0 {
		t.Fatal(began, err)
	}
	want := peer.Peer{UID: uint32(os.Getuid()), Process: peer.Process{PID: os.Getpid(), Start: began}}
	for _, c := range []net.Conn{near, far} {
		if got := of(t, c); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		if uid, err := peer.UID(c.(*net.UnixConn)); err != nil || uid != want.UID {
			t.Errorf("uid %d, %v", uid, err)
		}
	}
}

func TestOfChild(t *testing.T) {
	t.Parallel()
	path, l := listen(t)
	cmd := ipctest.Child(t, "connect", path)
	c, leave := start(t, cmd, l)
	got := of(t, c)
	ours, err := peer.StartTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if got.PID != cmd.Process.Pid || got.UID != uint32(os.Getuid()) || got.Start < ours {
		t.Errorf("%+v of child %d; we began at %d", got, cmd.Process.Pid, ours)
	}
	if again, err := peer.StartTime(got.PID); err != nil || again != got.Start {
		t.Errorf("start %d, then %d, %v", got.Start, again, err)
	}

	// A peer that is gone is known by its pid, but equal to no process.
	leave.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if gone := of(t, c); gone.PID != got.PID || gone.UID != got.UID || gone.Start != 0 {
		t.Errorf("after its end: %+v", gone)
	}
	if _, err := peer.StartTime(got.PID); err == nil {
		t.Error("a process that is gone has a start time")
	}
}

// The command's name is in /proc/PID/stat between parentheses, as it is.
func TestOfProcessWithAnOddName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a) R 1 (b", ") S 7 7 7", "(((", "a b  c", "\n)"} {
		path, l := listen(t)
		cmd := ipctest.Child(t, "connect", path)
		odd := filepath.Join(t.TempDir(), name)
		if err := os.Symlink(cmd.Path, odd); err != nil {
			t.Fatal(err)
		}
		cmd.Path = odd
		c, leave := start(t, cmd, l)
		ours, err := peer.StartTime(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if got := of(t, c); got.PID != cmd.Process.Pid || got.Start < ours || got.Start > ours*2 {
			t.Errorf("%q: %+v; we began at %d", name, got, ours)
		}
		leave.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
}

func TestOfAnother(t *testing.T) {
	t.Parallel()
	path, l := listen(t)
	cmd := ipctest.Child(t, "connect", path)
	ipctest.AsNobody(t, cmd)
	open(t, path)
	c, leave := start(t, cmd, l)
	if got := of(t, c); got.UID != ipctest.Nobody || got.PID != cmd.Process.Pid || got.Start == 0 {
		t.Errorf("%+v", got)
	}
	leave.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// open lets everybody connect to a socket.
func open(t *testing.T, path string) {
	t.Helper()
	if err := errors.Join(os.Chmod(path, 0o666), os.Chmod(filepath.Dir(path), 0o755)); err != nil {
		t.Fatal(err)
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	path, _ := listen(t)
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if p, err := peer.Of(c.(*net.UnixConn)); err == nil || p != (peer.Peer{}) {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestStartTimeOfNobody(t *testing.T) {
	t.Parallel()
	for _, pid := range []int{-1, 1 << 30} {
		if start, err := peer.StartTime(pid); err == nil || start != 0 {
			t.Errorf("pid %d began at %d", pid, start)
		} else if strings.Contains(err.Error(), "failed") {
			t.Error(err)
		}
	}
}

func TestContext(t *testing.T) {
	t.Parallel()
	if p, ok := peer.FromContext(t.Context()); ok || p != (peer.Peer{}) {
		t.Errorf("nobody is there, and yet %+v", p)
	}
	want := peer.Peer{UID: 1, Process: peer.Process{PID: 2, Start: 3}}
	ctx := context.WithValue(peer.NewContext(t.Context(), want), struct{}{}, 1)
	if p, ok := peer.FromContext(ctx); !ok || p != want {
		t.Errorf("%+v, %v", p, ok)
	}
}
