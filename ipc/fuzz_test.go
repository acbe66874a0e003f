package ipc_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/cwagent/cwagent/ipc"
)

// FuzzFrame states decode(encode(x)) == x.
func FuzzFrame(f *testing.F) {
	f.Add(byte(1), uint16(1), []byte("prod"), []byte("{}"), []byte(nil))
	f.Add(byte(0), uint16(0), []byte(nil), []byte(nil), []byte(nil))
	f.Add(byte(255), uint16(65535), []byte("cwa"), make([]byte, 9000), []byte{0})
	f.Fuzz(func(t *testing.T, version byte, kind uint16, a, b, c []byte) {
		want := ipc.Frame{Version: version, Kind: kind, Parts: [3][]byte{a, b, c}}
		got, err := ipc.ReadFrame(bytes.NewReader(ipc.AppendFrame(nil, want)), ipc.MaxReply, nil)
		if err != nil || !same(got, want) {
			t.Errorf("%+v became %+v: %v", want, got, err)
		}
	})
}

// FuzzReadFrame states that no bytes do harm, and that what is read as a frame
// is written as the same bytes again.
func FuzzReadFrame(f *testing.F) {
	for _, s := range []string{"", "c", "GET / HTTP/1.1\r\n\r\n", fetchHeader, fetchBytes, fetchBytes + "more", "cwa" + string(make([]byte, 17))} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 1000
		got, err := ipc.ReadFrame(bytes.NewReader(b), limit, nil)
		if err != nil {
			for _, known := range []error{io.EOF, io.ErrUnexpectedEOF, ipc.ErrMalformed, ipc.ErrTooLarge} {
				if errors.Is(err, known) {
					return
				}
			}
			t.Fatalf("an error that the comment does not name: %v", err)
		}
		for i, p := range got.Parts {
			if len(p) > limit {
				t.Errorf("part %d has %d bytes, the limit is %d", i, len(p), limit)
			}
		}
		encoded := ipc.AppendFrame(nil, got)
		copy(encoded[6:8], b[6:8]) // reserved, ignored by the reader
		if !bytes.HasPrefix(b, encoded) {
			t.Errorf("%q was read, %q written", b, encoded)
		}
	})
}

func same(a, b ipc.Frame) bool {
	for i := range a.Parts {
		if !bytes.Equal(a.Parts[i], b.Parts[i]) {
			return false
		}
	}
	return a.Version == b.Version && a.Kind == b.Kind
}
