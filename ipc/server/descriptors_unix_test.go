//go:build unix

package server_test

import (
	"bytes"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/ipctest"
)

// serveShort is an agent that may have so many descriptors, and logs to stderr.
func serveShort(args []string) int {
	n, err := strconv.ParseUint(args[1], 10, 64)
	if err == nil {
		err = unix.Setrlimit(unix.RLIMIT_NOFILE, limit(n))
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return serveUntilEOF(args[:1])
}

// limit is a limit of n: the type of the field differs between systems.
func limit(n uint64) *unix.Rlimit {
	var l unix.Rlimit
	_ = unix.Getrlimit(unix.RLIMIT_NOFILE, &l)
	l.Cur = min(l.Cur, n)
	l.Max = l.Cur
	return &l
}

// Whoever opens hundreds of connections and says nothing keeps nobody from
// being served, even where descriptors are as short as launchd makes them, or
// shorter.
func TestFewDescriptors(t *testing.T) {
	t.Parallel()
	for _, n := range []string{"30", "256"} {
		path := ipctest.SocketPath(t)
		cmd := ipctest.Child(t, "short", path, n)
		var log bytes.Buffer
		cmd.Stderr = &log
		leave := startAgent(t, cmd)
		for range 3 {
			var conns []net.Conn
			for range 500 {
				c, err := net.Dial("unix", path)
				if err != nil {
					t.Fatal(err)
				}
				conns = append(conns, c)
				// More come and go while we ask.
				if len(conns)%100 != 0 {
					continue
				}
				start := time.Now()
				if f, err := raw(path, fetchRequest); err != nil || ipc.Code(f.Kind) != ipc.CodeOK {
					t.Errorf("%s descriptors, %d half-open: %+v, %v", n, len(conns), f, err)
				}
				if took := time.Since(start); took > 2*time.Second {
					t.Errorf("%s descriptors, %d half-open: answered after %v", n, len(conns), took)
				}
			}
			for _, c := range conns {
				c.Close()
			}
		}
		leave()
		if n := strings.Count(log.String(), "level=WARN"); n > 2 {
			t.Errorf("%d warnings:\n%s", n, log.String()[:min(log.Len(), 2000)])
		}
	}
}
