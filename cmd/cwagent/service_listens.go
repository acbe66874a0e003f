package main

import (
	"errors"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/cwagent/cwagent/ipc/peer"
)

// managerListens reports whether what lies at path is the service manager's socket, and
// somebody answers there. It goes on listening where the path has been removed, or
// leads elsewhere, and takes that for well.
func managerListens(path string) bool {
	conn, err := net.DialTimeout("unix", path, probeWait)
	if err != nil {
		return false
	}
	defer conn.Close()
	p, err := peer.Of(conn.(*net.UnixConn)) // who listens is who has said so first, not who accepts
	if err != nil {
		return errors.Is(err, peer.ErrUnsupported)
	}
	comm, err := os.ReadFile("/proc/" + strconv.Itoa(p.PID) + "/comm")
	return err == nil && strings.TrimSpace(string(comm)) == "systemd"
}
