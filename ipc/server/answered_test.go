package server_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// What an answer took is told before its reader has it: without the time that the
// peer took to ask, and with what the agent waited for.
func TestAnswered(t *testing.T) {
	t.Parallel()
	a := &agent{status: func(context.Context) (ipc.Status, error) {
		time.Sleep(time.Second)
		return ipc.Status{}, nil
	}}
	inBubble(t, a, 0, func(b *bed) {
		conn := b.dial()
		send(b.t, conn, statusRequest[:5])
		time.Sleep(500 * time.Millisecond)
		_, _ = b.ask(conn, statusRequest[5:])
		_, _ = b.ask(b.dial(), frame(1, 999, "{}"))
		_, _ = b.ask(b.dial(), "no frame at all, and long enough to be one")
		synctest.Wait()
		want := []answered{{ipc.OpStatus, ipc.CodeOK, time.Second}, {999, ipc.CodeUnknownOp, 0}}
		if !slices.Equal(b.answered, want) {
			t.Errorf("told %v, want %v", b.answered, want)
		}
	})
}
