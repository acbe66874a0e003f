package server_test

import (
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/ipctest"
)

func send(t *testing.T, c net.Conn, s string) {
	t.Helper()
	if _, err := io.WriteString(c, s); err != nil {
		t.Errorf("send %.40q: %v", s, err)
	}
}

func TestTimeToAsk(t *testing.T) {
	t.Parallel()
	half := fetchRequest[:len(fetchRequest)/2]
	for _, c := range []struct {
		name  string
		write func(t *testing.T, c net.Conn)
		code  ipc.Code
		after time.Duration
	}{
		{"silence", func(*testing.T, net.Conn) {}, ipc.CodeMalformed, time.Second},
		{"a byte", func(t *testing.T, c net.Conn) { send(t, c, half[:1]) }, ipc.CodeMalformed, 2 * time.Second},
		{"half a request", func(t *testing.T, c net.Conn) { send(t, c, half) }, ipc.CodeMalformed, 2 * time.Second},
		{"all but a byte", func(t *testing.T, c net.Conn) { send(t, c, fetchRequest[:len(fetchRequest)-1]) }, ipc.CodeMalformed, 2 * time.Second},
		{"a byte now and then", func(t *testing.T, c net.Conn) {
			for i := range 5 {
				send(t, c, fetchRequest[i:i+1])
				time.Sleep(390 * time.Millisecond)
			}
		}, ipc.CodeMalformed, 2 * time.Second},
		{"just in time", func(t *testing.T, c net.Conn) {
			time.Sleep(999 * time.Millisecond)
			send(t, c, half)
			time.Sleep(1000 * time.Millisecond)
			send(t, c, fetchRequest[len(half):])
		}, ipc.CodeOK, 1999 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, &ipctest.Fake{}, 0, func(b *bed) {
				conn, start := b.dial(), time.Now()
				c.write(b.t, conn)
				f, _ := b.ask(conn, "")
				b.wantCode(f, c.code)
				if took := time.Since(start).Truncate(time.Millisecond); took != c.after {
					b.t.Errorf("answered after %v, want %v", took, c.after)
				}
			})
		})
	}
}

func TestBadRequests(t *testing.T) {
	t.Parallel()
	const tooLarge = "\xff\xff\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00"
	for _, c := range []struct {
		name, request string
		code          ipc.Code
	}{
		{"garbage", strings.Repeat("\xde\xad\xbe\xef", 100), ipc.CodeMalformed},
		{"HTTP", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", ipc.CodeMalformed},
		{"a part of 4 GiB", "cwa\x01\x00\x01\x00\x00" + tooLarge, ipc.CodeTooLarge},
		{"a part of a byte too many", frame(1, ipc.OpFetch, "x", strings.Repeat("x", ipc.MaxPart+1)), ipc.CodeTooLarge},
		{"as much as is allowed", frame(1, ipc.OpFetch, "x", strings.Repeat("x", ipc.MaxPart)), ipc.CodeOK},
		{"JSON of more than a fetch may have", frame(1, ipc.OpStatus, `{"name":"`+strings.Repeat("x", ipc.MaxJSON-12)+`"}`), ipc.CodeNotFound},
		{"JSON of a byte too many", frame(1, ipc.OpStatus, strings.Repeat("x", ipc.MaxJSON+1)), ipc.CodeTooLarge},
		{"a name of a byte too many", frame(1, ipc.OpFetch, strings.Repeat("x", ipc.MaxPart+1)), ipc.CodeTooLarge},
		{"a token of a byte too many", frame(1, ipc.OpAdd, "{}", strings.Repeat("x", ipc.MaxPart+1)), ipc.CodeTooLarge},
		{"version 0", frame(0, ipc.OpFetch, "x"), ipc.CodeVersion},
		{"version 2", frame(2, ipc.OpFetch, "x"), ipc.CodeVersion},
		{"version 2, which has other caps", "cwa\x02\x00\x01\x00\x00" + tooLarge, ipc.CodeVersion},
		{"an unknown operation", frame(1, 0), ipc.CodeUnknownOp},
		{"an operation of the future", frame(1, 65535), ipc.CodeUnknownOp},
		{"no JSON", frame(1, ipc.OpStatus), ipc.CodeMalformed},
		{"half JSON", frame(1, ipc.OpAdd, `{"name":`, "CW-SECRET-x"), ipc.CodeMalformed},
		{"fewer tokens than names", frame(1, ipc.OpAddAll, `[{"name":"a"},{"name":"b"}]`, "CW-SECRET-x"), ipc.CodeMalformed},
		{"more tokens than names", frame(1, ipc.OpAddAll, `[{"name":"a"}]`, "CW-SECRET-x\nCW-SECRET-y"), ipc.CodeMalformed},
		{"tokens for nobody", frame(1, ipc.OpAddAll, `null`, "CW-SECRET-x"), ipc.CodeMalformed},
		{"JSON of another shape", frame(1, ipc.OpForget, `["CW-SECRET-x"]`), ipc.CodeMalformed},
		{"a name that is a number", frame(1, ipc.OpForget, `{"name": 7}`), ipc.CodeMalformed},
		{"deep JSON", frame(1, ipc.OpStatus, strings.Repeat("[", 100_000)), ipc.CodeMalformed},
		{"a key of the future", frame(1, ipc.OpStatus, `{"color": "red"}`), ipc.CodeOK},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, &ipctest.Fake{}, 0, func(b *bed) {
				f, took := b.ask(b.dial(), c.request)
				b.wantCode(f, c.code)
				if took != 0 {
					b.t.Errorf("answered after %v", took)
				}
				for _, text := range []string{b.log.String(), string(f.Parts[0]), string(f.Parts[1])} {
					if strings.Contains(text, "CW-SECRET") {
						b.t.Errorf("the request is quoted: %s", text)
					}
				}
				b.wantFetch()
			})
		})
	}
}

// The refusal names the limit that holds for the request.
func TestTooLargeSaysHowMuch(t *testing.T) {
	t.Parallel()
	inBubble(t, &ipctest.Fake{}, 0, func(b *bed) {
		large := strings.Repeat("x", ipc.MaxJSON+1)
		for op, want := range map[ipc.Op]string{
			ipc.OpFetch: "request: larger than 128 KiB",
			ipc.OpAdd:   "request: larger than 1 MiB, or its token than 128 KiB",
		} {
			f, _ := b.ask(b.dial(), frame(1, op, large))
			if string(f.Parts[0]) != want || len(f.Parts[1]) == 0 {
				b.t.Errorf("operation %d: %q, hint %q", op, f.Parts[0], f.Parts[1])
			}
		}
	})
}

// Who asks and does not read is cut, and the server's end does not wait longer.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	inBubble(t, &ipctest.Fake{}, 0, func(b *bed) {
		conn := b.dial()
		send(b.t, conn, fetchRequest)
		synctest.Wait()
		start := time.Now()
		b.stop()
		b.wait()
		if took := time.Since(start); took != 2*time.Second {
			b.t.Errorf("cut after %v", took)
		}
		b.wantClosed(conn)
	})
}

// Whoever connects to see whether somebody is there leaves no trace.
func TestConnectAndClose(t *testing.T) {
	t.Parallel()
	inBubble(t, &ipctest.Fake{}, 0, func(b *bed) {
		b.dial().Close()
		synctest.Wait()
		if b.log.String() != "" {
			b.t.Errorf("logged: %s", b.log)
		}
	})
}

// Over the cap the idlest goes, one for each that comes, and whoever has just
// sent something is not the idlest.
func TestMaxConns(t *testing.T) {
	t.Parallel()
	inBubble(t, &ipctest.Fake{}, 3, func(b *bed) {
		first, second, third := b.dial(), b.dial(), b.dial()
		send(b.t, first, fetchRequest[:1])
		synctest.Wait()
		b.wantFetch()
		b.wantClosed(second)
		b.wantOpen(first)
		b.wantOpen(third)

		// The fetch has left: there is room for one.
		fourth := b.dial()
		b.wantOpen(third)
		fifth := b.dial()
		b.wantClosed(third)
		for _, c := range []net.Conn{first, fourth, fifth} {
			b.wantOpen(c)
		}
		f, _ := b.ask(first, fetchRequest[1:])
		b.wantCode(f, ipc.CodeOK)
	})
}

// A burst costs as many connections as it has, not one for each that the
// evicted ones have not yet noticed.
func TestMaxConnsBurst(t *testing.T) {
	t.Parallel()
	inBubble(t, &ipctest.Fake{}, 20, func(b *bed) {
		var conns []net.Conn
		for range 20 {
			conns = append(conns, b.dial())
		}
		for range 10 { // all of them there before the first is accepted
			near, far := net.Pipe()
			b.l.conns <- far
			conns = append(conns, near)
		}
		synctest.Wait()
		for i, c := range conns {
			if i < 10 {
				b.wantClosed(c)
			} else {
				b.wantOpen(c)
				c.Close()
			}
		}
	})
}

func TestAcceptErrors(t *testing.T) {
	t.Parallel()
	inBubble(t, &ipctest.Fake{}, 0, func(b *bed) {
		idle := b.dial()
		b.l.errs <- &net.OpError{Op: "accept", Err: syscall.EMFILE}
		synctest.Wait()
		b.wantClosed(idle) // which makes room for one
		f, _ := b.ask(b.dial(), fetchRequest)
		b.wantCode(f, ipc.CodeOK)
		if !strings.Contains(b.log.String(), "accept") {
			b.t.Error("nobody is told that descriptors are short")
		}

		// It accepts again at once where that made room, and else takes a breath.
		b.dial()
		start := time.Now()
		b.l.errs <- &net.OpError{Op: "accept", Err: syscall.EMFILE}
		b.l.errs <- &net.OpError{Op: "accept", Err: syscall.EMFILE}
		if took := time.Since(start); took != 0 {
			b.t.Errorf("it waited %v for nothing", took)
		}
		later, far := net.Pipe()
		b.l.conns <- far
		f, took := b.ask(later, fetchRequest)
		b.wantCode(f, ipc.CodeOK)
		if took != 10*time.Millisecond {
			b.t.Errorf("it waited %v with nothing to close", took)
		}
		if n := strings.Count(b.log.String(), "\n"); n != 1 {
			b.t.Errorf("%d lines:\n%s", n, b.log)
		}
	})
	inBubble(t, &ipctest.Fake{}, 0, func(b *bed) {
		idle := b.dial()
		b.l.errs <- syscall.EBADF
		if err := <-b.done; err == nil || !strings.HasPrefix(err.Error(), "accept: ") {
			b.t.Errorf("served on without a socket: %v", err)
		}
		b.wantClosed(idle)
		b.done <- nil
	})
}
