package server_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/ipctest"
)

// giver gives a token, and remembers where it was.
type giver struct {
	ipctest.Fake
	size  int
	asked []byte // KUBERNETES_EXEC_INFO
	given []byte
	lent  bool // it had room for it
}

func (g *giver) Fetch(_ context.Context, r ipc.FetchRequest) (ipc.FetchReply, error) {
	g.asked = r.ExecInfo
	g.given = append(r.Room, bytes.Repeat([]byte("x"), g.size)...)
	g.lent = g.size <= cap(r.Room) && len(r.Room) == 0
	return ipc.FetchReply{Stdout: g.given}, nil
}

// Nothing is left in memory of what was asked and answered, large or small.
func TestCleared(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 4000, ipc.MaxPart} {
		g := &giver{size: size}
		inBubble(t, g, 0, func(b *bed) {
			f, _ := b.ask(b.dial(), frame(1, ipc.OpFetch, "prod", string(bytes.Repeat([]byte("y"), size))))
			if !bytes.Equal(f.Parts[0], bytes.Repeat([]byte("x"), size)) {
				b.t.Errorf("%d bytes came as %d", size, len(f.Parts[0]))
			}
			if len(bytes.Trim(g.asked, "\x00"))+len(bytes.Trim(g.given, "\x00")) > 0 {
				b.t.Errorf("something is left of %d bytes", size)
			}
			if g.lent != (size < ipc.MaxPart) {
				b.t.Errorf("room for %d bytes: %v", size, g.lent)
			}
		})
	}
}
