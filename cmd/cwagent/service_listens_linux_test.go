package main

import (
	"net"
	"os"
	"testing"

	"github.com/cwagent/cwagent/ipc/ipctest"
)

// What lies where the service manager's socket belongs may be anything else.
func TestManagerListens(t *testing.T) {
	t.Parallel()
	path := ipctest.SocketPath(t)
	if managerListens(path) {
		t.Error("nothing is there")
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if managerListens(path) {
		t.Error("a file is there")
	}
	os.Remove(path)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if managerListens(path) {
		t.Error("it is ours")
	}
}
