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
		// connect says its pid to the socket and stays until stdin ends. With a
		// second argument it has a child do that.
		"connect": func(args []string) int {
			if len(args) > 1 {
				cmd := exec.Command(os.Args[0], args[0])
				cmd.Stdin, cmd.Stderr = os.Stdin, os.Stderr
				if err := cmd.Run(); err != nil {
					println(err.Error())
					return 1
				}
				return 0
			}
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
	c, pid := accept(t, l)
	if pid != cmd.Process.Pid {
		t.Fatalf("child %d says that it is %d", cmd.Process.Pid, pid)
	}
	return c, stdin
}

// accept returns a connection, and which process its other end says it is.
func accept(t *testing.T, l net.Listener) (net.Conn, int) {
	t.Helper()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	return c, pid
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

// process returns a process that is there for the length of the test; the zero
// Process if it cannot be seen from here.
func process(pid int) peer.Process {
	start, err := peer.StartTime(pid)
	if err != nil {
		return peer.Process{}
	}
	return peer.Process{PID: pid, Start: start}
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
	want := peer.Peer{UID: uint32(os.Getuid()), Process: process(os.Getpid()), Parent: process(os.Getppid())}
	if want.Start == 0 {
		t.Fatal("when did we begin?")
	}
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
	if got.Parent != (peer.Process{PID: os.Getpid(), Start: ours}) {
		t.Errorf("parent %+v; we are %d and began at %d", got.Parent, os.Getpid(), ours)
	}
	if again, err := peer.StartTime(got.PID); err != nil || again != got.Start {
		t.Errorf("start %d, then %d, %v", got.Start, again, err)
	}

	// A peer that is gone is known by its pid, but equal to no process.
	leave.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if gone := of(t, c); gone.PID != got.PID || gone.UID != got.UID || gone.Start != 0 || gone.Parent != (peer.Process{}) {
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
		} else if got.Parent != (peer.Process{PID: os.Getpid(), Start: ours}) {
			t.Errorf("%q: parent %+v", name, got.Parent)
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
	if got := of(t, c); got.UID != ipctest.Nobody || got.PID != cmd.Process.Pid || got.Start == 0 || got.Parent != process(os.Getpid()) {
		t.Errorf("%+v", got)
	}
	leave.Close()
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// A process whose parent has ended has another one: never the dead one, nor one
// that would be ours.
func TestOfOrphan(t *testing.T) {
	t.Parallel()
	path, l := listen(t)
	cmd := ipctest.Child(t, "connect", path, "through a child")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c, pid := accept(t, l)
	between := process(cmd.Process.Pid)
	before := of(t, c)
	if before.PID != pid || before.Start == 0 || between.Start == 0 || before.Parent != between {
		t.Errorf("%+v of %d below %+v", before, pid, between)
	}

	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_, _ = cmd.Process.Wait() // it has been killed; the kernel has given its child away before we hear of it
	after := of(t, c)
	if after.Process != before.Process {
		t.Errorf("%+v has become %+v", before.Process, after.Process)
	}
	if after.Parent != process(after.Parent.PID) || after.Parent.PID == between.PID || after.Parent.PID == os.Getpid() {
		t.Errorf("parent %+v after the end of %+v", after.Parent, between)
	}
	stdin.Close()
	if n, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the orphan stays: %d bytes, %v", n, err)
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
