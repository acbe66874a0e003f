//go:build linux || darwin

package peer_test

import (
	"net"
	"os"
	"testing"

	"github.com/cwagent/cwagent/ipc/ipctest"
	"github.com/cwagent/cwagent/ipc/peer"
)

// BenchmarkOf is what each request pays for knowing who asks.
func BenchmarkOf(b *testing.B) {
	l, err := net.Listen("unix", ipctest.SocketPath(b))
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := peer.Of(c.(*net.UnixConn)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStartTime(b *testing.B) {
	pid := os.Getpid()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := peer.StartTime(pid); err != nil {
			b.Fatal(err)
		}
	}
}
