package ipc_test

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"runtime"
	"testing"
	"testing/iotest"

	"github.com/cwagent/cwagent/ipc"
)

// The bytes of a fetch, as the package comment has them.
const (
	fetchHeader = "cwa\x01" + "\x00\x01" + "\x00\x00" + "\x00\x00\x00\x04" + "\x00\x00\x00\x02" + "\x00\x00\x00\x00"
	fetchBytes  = fetchHeader + "prod" + "{}"
)

func fetchFrame() ipc.Frame {
	return ipc.Frame{Version: 1, Kind: uint16(ipc.OpFetch), Parts: [3][]byte{[]byte("prod"), []byte("{}"), {}}}
}

func read(b string, maxPart int) (ipc.Frame, error) {
	return ipc.ReadFrame(bytes.NewReader([]byte(b)), maxPart, nil)
}

func TestFrameBytes(t *testing.T) {
	t.Parallel()
	if got := string(ipc.AppendFrame(nil, fetchFrame())); got != fetchBytes {
		t.Errorf("encoded %q, want %q", got, fetchBytes)
	}
	for name, b := range map[string]string{
		"as it is":          fetchBytes,
		"with more behind":  fetchBytes + "cwa\x01",
		"reserved not zero": fetchBytes[:6] + "\xff\xff" + fetchBytes[8:],
	} {
		if got, err := read(b, 4); err != nil || !reflect.DeepEqual(got, fetchFrame()) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

func TestReadFrameRefuses(t *testing.T) {
	t.Parallel()
	const top = "cwa\x01\x00\x03\x00\x00"
	for _, c := range []struct {
		name, bytes string
		want        error
		kind        uint16
	}{
		{"nothing", "", io.EOF, 0},
		{"one byte", "c", io.ErrUnexpectedEOF, 0},
		{"one wrong byte", "x", ipc.ErrMalformed, 0},
		{"a short wrong line", "GET /\r\n", ipc.ErrMalformed, 0},
		{"the header but for a byte", fetchHeader[:19], io.ErrUnexpectedEOF, 0},
		{"no body", fetchHeader, io.ErrUnexpectedEOF, 1},
		{"the magic in capitals", "CWA" + fetchBytes[3:], ipc.ErrMalformed, 0},
		{"the magic shifted", "\x00" + fetchBytes, ipc.ErrMalformed, 0},
		{"HTTP", "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", ipc.ErrMalformed, 0},
		{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + string(make([]byte, 32)), ipc.ErrMalformed, 0},
		{"zeros", string(make([]byte, 64)), ipc.ErrMalformed, 0},
		{"part 0 over the cap", top + "\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00\x00", ipc.ErrTooLarge, 3},
		{"part 1 over the cap", top + "\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x00", ipc.ErrTooLarge, 3},
		{"part 2 over the cap", top + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05", ipc.ErrTooLarge, 3},
		{"a length of 2^31", top + "\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00", ipc.ErrTooLarge, 3},
		{"lengths of 2^32-1", top + "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", ipc.ErrTooLarge, 3},
		{"lengths that overflow to 4", top + "\xff\xff\xff\xff\x00\x00\x00\x05\x00\x00\x00\x00" + "prod", ipc.ErrTooLarge, 3},
	} {
		f, err := read(c.bytes, 4)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if f.Kind != c.kind || f.Parts[0] != nil {
			t.Errorf("%s: half a frame came back: %+v", c.name, f)
		}
	}
}

func TestReadFrameTruncated(t *testing.T) {
	t.Parallel()
	for i := range len(fetchBytes) {
		want := io.ErrUnexpectedEOF
		if i == 0 {
			want = io.EOF
		}
		if _, err := read(fetchBytes[:i], ipc.MaxPart); !errors.Is(err, want) {
			t.Errorf("%d bytes of %d: %v, want %v", i, len(fetchBytes), err, want)
		}
	}
}

// However the bytes are cut on their way, the frame is the same.
func TestReadFrameInPieces(t *testing.T) {
	t.Parallel()
	large := fetchFrame()
	large.Parts[2] = bytes.Repeat([]byte("x"), 100_000)
	for _, want := range []ipc.Frame{fetchFrame(), large} {
		b := ipc.AppendFrame(nil, want)
		for name, r := range map[string]io.Reader{
			"whole":            bytes.NewReader(b),
			"byte by byte":     iotest.OneByteReader(bytes.NewReader(b)),
			"halves":           iotest.HalfReader(bytes.NewReader(b)),
			"EOF with the end": iotest.DataErrReader(bytes.NewReader(b)),
		} {
			if got, err := ipc.ReadFrame(r, ipc.MaxPart, nil); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	broken := iotest.TimeoutReader(iotest.OneByteReader(bytes.NewReader([]byte(fetchBytes))))
	if _, err := ipc.ReadFrame(broken, ipc.MaxPart, nil); !errors.Is(err, iotest.ErrTimeout) {
		t.Errorf("a broken connection: %v", err)
	}
}

// The caller's buffer is used, and no part reaches into the next one.
func TestReadFrameBuffer(t *testing.T) {
	t.Parallel()
	buf := make([]byte, 0, 64)
	f, err := ipc.ReadFrame(bytes.NewReader([]byte(fetchBytes)), ipc.MaxPart, buf)
	if err != nil {
		t.Fatal(err)
	}
	if &f.Parts[0][0] != &buf[:64][len(fetchHeader)] {
		t.Error("the buffer was not used")
	}
	_ = append(f.Parts[0], "XXXX"...)
	if string(f.Parts[1]) != "{}" {
		t.Errorf("part 1 is %q after an append to part 0", f.Parts[1])
	}
}

// What a header announces costs nothing until it comes. Not parallel: it counts
// what the process allocates.
func TestReadFrameMemory(t *testing.T) {
	const sixteenMiB = "\x01\x00\x00\x00"
	header := "cwa\x01\x00\x00\x00\x00" + sixteenMiB + sixteenMiB + sixteenMiB
	for _, c := range []struct {
		sent  int
		limit uint64
	}{
		{0, 16 << 10},
		{100 << 10, 1 << 20},
	} {
		b := append([]byte(header), make([]byte, c.sent)...)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := ipc.ReadFrame(bytes.NewReader(b), ipc.MaxReply, nil)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Error(err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > c.limit {
			t.Errorf("%d bytes after a header that announces 48 MiB: %d bytes allocated, limit %d", c.sent, n, c.limit)
		}
	}
}
