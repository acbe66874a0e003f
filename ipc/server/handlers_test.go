package server_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/ipctest"
	"github.com/cwagent/cwagent/ipc/peer"
)

var statusRequest = frame(1, ipc.OpStatus, "{}")

func TestPanicEndsOneConnection(t *testing.T) {
	t.Parallel()
	a := &agent{status: func(context.Context) (ipc.Status, error) { panic("CW-SECRET-x") }}
	inBubble(t, a, 2, func(b *bed) {
		other := b.dial()
		for range 3 { // more than fit beside other if a panic left one behind
			conn := b.dial()
			send(b.t, conn, statusRequest)
			b.wantClosed(conn)
		}
		b.wantOpen(other)
		f, _ := b.ask(other, fetchRequest)
		b.wantCode(f, ipc.CodeOK)
		if log := b.log.String(); !strings.Contains(log, "panicked") || strings.Contains(log, "CW-SECRET") {
			b.t.Errorf("log: %s", log)
		}
	})
}

// A handler knows who asks, does not have for ever, and a moment only when the server
// ends.
func TestHandlerContext(t *testing.T) {
	t.Parallel()
	a := &agent{status: func(ctx context.Context) (ipc.Status, error) {
		if p, ok := peer.FromContext(ctx); !ok || p != somebody {
			t.Errorf("peer %+v", p)
		}
		<-ctx.Done()
		return ipc.Status{}, ctx.Err()
	}}
	inBubble(t, a, 0, func(b *bed) {
		f, took := b.ask(b.dial(), statusRequest)
		b.wantCode(f, ipc.CodeInternal)
		if took < 10*time.Second || took > time.Minute {
			b.t.Errorf("ended after %v", took)
		}
		conn := b.dial()
		time.AfterFunc(time.Second, b.stop)
		f, took = b.ask(conn, statusRequest)
		b.wantCode(f, ipc.CodeTimeout)
		if took > 1300*time.Millisecond {
			b.t.Errorf("ended after %v", took)
		}
		if strings.Count(b.log.String(), "request failed") != 1 {
			b.t.Errorf("the server's own end is logged as a fault: %s", b.log)
		}
	})
}

// waits is an agent whose fetches wait for something, and then give a token or not.
type waits struct {
	ipctest.Fake
	exit int
}

func (w *waits) Fetch(ctx context.Context, _ ipc.FetchRequest) (ipc.FetchReply, error) {
	<-ctx.Done()
	return ipc.FetchReply{Exit: w.exit}, nil
}

// A fetch that waits when the server ends is not answered, so that its client asks the
// next one, unless there is a token for it after all.
func TestDrainFetch(t *testing.T) {
	t.Parallel()
	for _, exit := range []int{0, 1} {
		inBubble(t, &waits{exit: exit}, 0, func(b *bed) {
			conn := b.dial()
			send(b.t, conn, fetchRequest)
			synctest.Wait()
			start := time.Now()
			b.stop()
			if exit == 0 {
				f, _ := b.ask(conn, "")
				b.wantCode(f, ipc.CodeOK)
			} else {
				b.wantClosed(conn)
			}
			b.wait()
			if time.Since(start) != 0 {
				b.t.Errorf("drained in %v", time.Since(start))
			}
		})
	}
}

func TestDrain(t *testing.T) {
	t.Parallel()
	inBubble(t, nil, 0, func(b *bed) {
		b.stop() // with nothing to do
		b.wait()
	})

	var release chan struct{} // made in the bubble, which only knows its own
	a := &agent{status: func(context.Context) (ipc.Status, error) {
		<-release
		return ipc.Status{Store: ipc.StoreInfo{Kind: "memory"}}, nil
	}}
	inBubble(t, a, 0, func(b *bed) {
		release = make(chan struct{})
		running, silent, half := b.dial(), b.dial(), b.dial()
		send(b.t, running, statusRequest)
		send(b.t, half, fetchRequest[:22])
		synctest.Wait()
		start := time.Now()
		b.stop()
		synctest.Wait()
		b.wantClosed(silent)
		b.wantClosed(half)
		b.wantOpen(running)
		select {
		case <-b.l.closed:
		default:
			b.t.Error("it still accepts")
		}
		select {
		case err := <-b.done:
			b.t.Errorf("it left a request alone: %v", err)
			b.done <- err
		default:
		}
		close(release)
		f, _ := b.ask(running, "")
		b.wantCode(f, ipc.CodeOK)
		if !strings.Contains(string(f.Parts[0]), "memory") {
			b.t.Errorf("reply %s", f.Parts[0])
		}
		b.wait()
		if took := time.Since(start); took > 10*time.Millisecond {
			b.t.Errorf("drained in %v", took)
		}
	})
}

// What the server says about an error is the handler's own words, or that it
// is a fault.
func TestErrorReplies(t *testing.T) {
	t.Parallel()
	var result error
	a := &agent{status: func(context.Context) (ipc.Status, error) { return ipc.Status{}, result }}
	inBubble(t, a, 0, func(b *bed) {
		ours := &ipc.Error{Code: ipc.CodeStore, What: "store: locked", Hint: "cwagent unlock"}
		for _, result = range []error{ours, errors.Join(errors.New("x"), ours)} {
			f, _ := b.ask(b.dial(), statusRequest)
			b.wantCode(f, ipc.CodeStore)
			if string(f.Parts[0]) != ours.What || string(f.Parts[1]) != ours.Hint {
				b.t.Errorf("%s / %s", f.Parts[0], f.Parts[1])
			}
		}
		if b.log.String() != "" {
			b.t.Errorf("an answer is logged as a fault: %s", b.log)
		}
		result = errors.New("out of cheese")
		f, _ := b.ask(b.dial(), statusRequest)
		b.wantCode(f, ipc.CodeInternal)
		if !strings.Contains(b.log.String(), "out of cheese") {
			b.t.Error("a fault is not logged")
		}
	})
}

// A secret comes and goes in its own part.
func TestSecretsHaveTheirOwnPart(t *testing.T) {
	t.Parallel()
	inBubble(t, &ipctest.Fake{}, 0, func(b *bed) {
		f, _ := b.ask(b.dial(), frame(1, ipc.OpAdd, `{"name":"prod","expiry":"never","secret":"no","Secret":"no"}`, "CW-SECRET-x"))
		b.wantCode(f, ipc.CodeOK)
		if strings.Contains(string(f.Parts[0]), "CW-SECRET") || len(f.Parts[1]) != 0 {
			b.t.Errorf("reply %q, %q", f.Parts[0], f.Parts[1])
		}
		f, _ = b.ask(b.dial(), frame(1, ipc.OpToken, `{"name":"prod"}`))
		if string(f.Parts[0]) != "{}" || string(f.Parts[1]) != "CW-SECRET-x" {
			b.t.Errorf("reply %q, %q", f.Parts[0], f.Parts[1])
		}
	})
}

// keyed gives object storage keys.
type keyed struct{ ipctest.Fake }

func (*keyed) Keys(context.Context, ipc.KeysRequest) (ipc.Secret, error) {
	return ipc.NewSecret(`{"Version":1}`), nil
}

// Keys are a secret, although they look like JSON.
func TestKeysHaveTheSecretsPart(t *testing.T) {
	t.Parallel()
	inBubble(t, &keyed{}, 0, func(b *bed) {
		f, _ := b.ask(b.dial(), frame(1, ipc.OpKeys, `{"name":"prod"}`))
		b.wantCode(f, ipc.CodeOK)
		if string(f.Parts[0]) != "{}" || string(f.Parts[1]) != `{"Version":1}` {
			b.t.Errorf("reply %q, %q", f.Parts[0], f.Parts[1])
		}
	})
}

// The replies of a rotation, as they are on the wire.
func TestRotation(t *testing.T) {
	t.Parallel()
	inBubble(t, &ipctest.Fake{}, 0, func(b *bed) {
		ask := func(op ipc.Op, request, token string, reply any) {
			b.t.Helper()
			f, took := b.ask(b.dial(), frame(1, op, request, token))
			b.wantCode(f, ipc.CodeOK)
			if len(f.Parts[1]) != 0 || strings.Contains(string(f.Parts[0]), "CW-SECRET") || took != 0 {
				b.t.Errorf("reply %q, %q after %v", f.Parts[0], f.Parts[1], took)
			}
			if err := json.Unmarshal(f.Parts[0], reply); err != nil {
				b.t.Error(err)
			}
		}
		type gone struct{ Credential, ID, Label, Since, Expiry, Kept, Delete any }
		var added struct {
			Outcome    string
			Credential struct {
				Source  string
				Standby []struct{ ID, Label, Expiry, Expires string }
			}
		}
		var rotated struct {
			From    string
			Retired gone
		}
		var list struct{ Tokens []gone }

		ask(ipc.OpAdd, `{"name":"prod","id":"cwtoken-1","expiry":"never"}`, "CW-SECRET-1", &added)
		ask(ipc.OpAdd, `{"name":"prod","id":"cwtoken-2","expiry":"known","expires":"2033-01-01T00:00:00Z","standby":true}`, "CW-SECRET-2", &added)
		if s := added.Credential.Standby; added.Outcome != "standby" || added.Credential.Source != "standby" || len(s) != 1 ||
			s[0].ID != "cwtoken-2" || s[0].Label == "" || s[0].Expiry != "known" || s[0].Expires != "2033-01-01T00:00:00Z" {
			b.t.Errorf("added %+v", added)
		}
		ask(ipc.OpRotate, `{"name":"prod"}`, "", &rotated)
		first := gone{"prod", "cwtoken-1", rotated.Retired.Label, rotated.Retired.Since, "never", true, true}
		if rotated.From != "standby" || rotated.Retired != first || first.Label == nil || first.Since == nil {
			b.t.Errorf("rotated %+v, want %+v", rotated, first)
		}
		ask(ipc.OpRotate, `{"name":"prod","rollback":true}`, "", &rotated)
		if rotated.From != "rollback" || rotated.Retired.ID != "cwtoken-2" {
			b.t.Errorf("rotated back %+v", rotated)
		}
		ask(ipc.OpRotate, `{"name":"prod","rollback":true}`, "", &rotated)
		ask(ipc.OpRetired, `{}`, "", &list)
		if len(list.Tokens) != 1 || list.Tokens[0].ID != "cwtoken-1" || list.Tokens[0].Label != first.Label {
			b.t.Errorf("list %+v, want %+v", list, first)
		}
		ask(ipc.OpRetired, `{"done":"cwtoken-1"}`, "", &list)
		if list.Tokens == nil || len(list.Tokens) != 0 {
			b.t.Errorf("list %+v", list)
		}
		for request, code := range map[string]ipc.Code{
			frame(1, ipc.OpRotate, `{"name":"prod"}`):                 ipc.CodeSource,
			frame(1, ipc.OpRotate, `{"name":"prod","rollback":true}`): ipc.CodeSource,
			frame(1, ipc.OpRotate, `{}`):                              ipc.CodeNotFound,
			frame(1, ipc.OpRotate, `{"rollback":"CW-SECRET-2"}`):      ipc.CodeMalformed,
			frame(1, ipc.OpRotate):                                    ipc.CodeMalformed,
			frame(1, ipc.OpRetired, `{"done":"CW-nobody"}`):           ipc.CodeNotFound,
			frame(1, ipc.OpRetired, `{"done":["CW-SECRET-2"]}`):       ipc.CodeMalformed,
			frame(1, ipc.OpRetired):                                   ipc.CodeMalformed,
		} {
			f, _ := b.ask(b.dial(), request)
			b.wantCode(f, code)
			if strings.Contains(string(f.Parts[0])+string(f.Parts[1]), "CW-SECRET") || len(f.Parts[2]) != 0 {
				b.t.Errorf("%q: reply %q", request, f.Parts)
			}
		}
	})
}

// keeper keeps the memory in which a request came, as no agent should.
type keeper struct {
	ipctest.Fake
	kept []byte
}

func (k *keeper) Fetch(_ context.Context, r ipc.FetchRequest) (ipc.FetchReply, error) {
	k.kept = r.ExecInfo
	return ipc.FetchReply{}, nil
}

// What a request was read into holds nothing when it is over, be it one of the
// usual buffers or one that was made for its size.
func TestRequestsAreCleared(t *testing.T) {
	t.Parallel()
	for _, size := range []int{100, 100_000} {
		k := &keeper{}
		inBubble(t, k, 0, func(b *bed) {
			f, _ := b.ask(b.dial(), frame(1, ipc.OpFetch, "prod", strings.Repeat("CW-SECRET-", size/10)))
			b.wantCode(f, ipc.CodeOK)
			if len(k.kept) != size || strings.Trim(string(k.kept), "\x00") != "" {
				b.t.Errorf("%d bytes: %.40q", size, k.kept)
			}
		})
	}
}
