//go:build unix

package server_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/client"
	"github.com/cwagent/cwagent/ipc/ipctest"
	"github.com/cwagent/cwagent/ipc/server"
)

func TestMain(m *testing.M) {
	ipctest.Main(m, map[string]func([]string) int{
		"serve": serveUntilEOF,
		"short": serveShort,
		"raw":   func(args []string) int { return outcome(raw(args[0], fetchRequest)) },
		"client": func(args []string) int {
			_, err := client.Client{Path: args[0]}.Status(context.Background(), ipc.StatusRequest{})
			return outcome(ipc.Frame{}, err)
		},
	})
}

// serveUntilEOF is an agent: it says "ready" and serves until stdin ends.
func serveUntilEOF(args []string) int {
	l, err := server.Listen(args[0])
	if err != nil {
		return outcome(ipc.Frame{}, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() { defer stop(); _, _ = io.Copy(io.Discard, os.Stdin) }()
	fmt.Println("ready")
	s := &server.Server{Agent: &ipctest.Fake{}, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	return outcome(ipc.Frame{}, s.Serve(ctx, l))
}

// outcome prints how a request ended: a code and the words.
func outcome(f ipc.Frame, err error) int {
	if e, ok := err.(*ipc.Error); ok {
		f.Kind, f.Parts[0] = uint16(e.Code), []byte(e.What)
	} else if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Printf("code %d: %s\n", f.Kind, f.Parts[0])
	return 0
}

// raw sends bytes as no client of ours would, without a look at who listens,
// and returns the answer.
func raw(path, request string) (ipc.Frame, error) {
	c, err := net.Dial("unix", path)
	if err != nil {
		return ipc.Frame{}, err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = io.WriteString(c, request) // it may be refused before it is read
	return ipc.ReadFrame(c, ipc.MaxReply, nil)
}

// startAgent starts a child that serves, waits until it does, and returns what
// makes it leave.
func startAgent(t *testing.T, cmd *exec.Cmd) (leave func()) {
	t.Helper()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if line != "ready\n" {
		t.Fatalf("the agent says %q, %v", line, err)
	}
	return func() { stdin.Close(); _ = cmd.Wait() }
}
