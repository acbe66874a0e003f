package ipc

import (
	"bytes"
	"io"
	"testing"
)

// spy reads from r and remembers each memory that it was asked to fill.
type spy struct {
	r    io.Reader
	seen [][]byte
}

func (s *spy) Read(b []byte) (int, error) {
	n, err := s.r.Read(b)
	s.seen = append(s.seen, b[:n])
	return n, err
}

// secretsIn counts the buffers that still hold something of what was read.
func (s *spy) secretsIn() (n int) {
	for _, b := range s.seen {
		if bytes.Contains(b, []byte("CW-SECRET")) {
			n++
		}
	}
	return n
}

// A buffer that a frame has outgrown holds nothing of it, and after an error
// none does.
func TestReadFrameClears(t *testing.T) {
	t.Parallel()
	secret := bytes.Repeat([]byte("CW-SECRET-x "), 8000)
	b := AppendFrame(nil, Frame{Version: 1, Kind: uint16(OpAdd), Parts: [3][]byte{[]byte("{}"), secret}})
	s := &spy{r: bytes.NewReader(b)}
	f, err := ReadRequest(s, make([]byte, 0, 100))
	if err != nil || !bytes.Equal(f.Parts[1], secret) || len(s.seen) < 3 {
		t.Fatalf("%d reads, %v", len(s.seen), err)
	}
	if n := s.secretsIn(); n != 1 {
		t.Errorf("%d buffers hold the secret, the frame's own included", n)
	}
	s = &spy{r: bytes.NewReader(b[:len(b)-1])}
	if _, err := ReadRequest(s, make([]byte, 0, 100)); err != io.ErrUnexpectedEOF || s.secretsIn() != 0 {
		t.Errorf("half a request: %d buffers hold the secret, %v", s.secretsIn(), err)
	}
	wrong := bytes.Clone(b)
	wrong[8] = 0xff
	s = &spy{r: bytes.NewReader(wrong)}
	if _, err := ReadRequest(s, make([]byte, 0, 4096)); err != ErrTooLarge || s.secretsIn() != 0 {
		t.Errorf("a request that is too large: %d buffers hold the secret, %v", s.secretsIn(), err)
	}
}

// What is written leaves no copies on its way: a buffer that is too small for
// all of it gets nothing of it.
func TestAppendFrameLeavesNothing(t *testing.T) {
	t.Parallel()
	secret := []byte("CW-SECRET-x")
	small := make([]byte, 0, headerSize+len(secret)) // enough for part 0
	b := AppendFrame(small, Frame{Version: 1, Parts: [3][]byte{secret, secret, secret}})
	if bytes.Count(b, secret) != 3 || bytes.Contains(small[:cap(small)], secret) {
		t.Errorf("%q is left behind", small[:cap(small)])
	}
}
