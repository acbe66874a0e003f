package server_test

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"testing"
	"testing/synctest"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/ipctest"
	"github.com/cwagent/cwagent/ipc/peer"
	"github.com/cwagent/cwagent/ipc/server"
)

// A newer agent answers each in his own version, and tells who comes from farther
// ahead what it speaks.
func TestNewerAgent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &bed{t: t, log: &syncBuffer{}, l: &pipes{conns: make(chan net.Conn, 1), errs: make(chan error), closed: make(chan struct{})}}
		s := &server.Server{
			Agent: &ipctest.Fake{}, Log: slog.New(slog.NewTextHandler(b.log, nil)),
			Peer: func(net.Conn) (peer.Peer, error) { return somebody, nil },
		}
		s.Ahead(1)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Serve(ctx, b.l) }()
		for _, version := range []byte{1, 2} {
			if f, _ := b.ask(b.dial(), frame(version, ipc.OpStatus, "{}")); ipc.Code(f.Kind) != ipc.CodeOK || f.Version != version {
				t.Errorf("version %d: code %d in version %d", version, f.Kind, f.Version)
			}
		}
		f, _ := b.ask(b.dial(), frame(3, ipc.OpStatus, "{}"))
		if ipc.Code(f.Kind) != ipc.CodeVersion || f.Version != 1 || !bytes.Equal(f.Parts[2], []byte{1, 2}) {
			t.Errorf("version 3: code %d in version %d, it speaks %v", f.Kind, f.Version, f.Parts[2])
		}
		stop()
		<-done
	})
}
