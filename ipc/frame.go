package ipc

import (
	"encoding/binary"
	"errors"
	"io"
)

const (
	// Version of the protocol that this package speaks.
	Version = 1

	// MaxPart is the most bytes that one part of a request may have. execve
	// allows 128 KiB for one environment variable, name and "=" included.
	MaxPart = 128 << 10

	// MaxReply is the most bytes that one part of a reply may have: a status of
	// 10,000 credentials fits.
	MaxReply = 16 << 20

	headerSize = 20
	parts      = 3
	magic      = "cwa"
)

var (
	// ErrMalformed says that the bytes are not a frame of this protocol.
	ErrMalformed = errors.New("not a cwagent frame")

	// ErrTooLarge says that a part is longer than the reader allows.
	ErrTooLarge = errors.New("frame too large")
)

// A Frame is one request or one reply; the package comment has its layout.
type Frame struct {
	Version byte
	Kind    uint16 // an Op in a request, a Code in a reply
	Parts   [parts][]byte
}

// AppendFrame appends the bytes of f to b.
func AppendFrame(b []byte, f Frame) []byte {
	b = append(b, magic...)
	b = append(b, f.Version)
	b = binary.BigEndian.AppendUint16(b, f.Kind)
	b = append(b, 0, 0)
	for _, p := range f.Parts {
		b = binary.BigEndian.AppendUint32(b, uint32(len(p)))
	}
	for _, p := range f.Parts {
		b = append(b, p...)
	}
	return b
}

// A header is the first 20 bytes of a frame.
type header struct {
	frame Frame
	sizes [parts]int
	total int
}

// parseHeader reads the fixed part of a frame. maxPart is in bytes.
func parseHeader(b []byte, maxPart int) (header, error) {
	var h header
	if len(b) < headerSize || string(b[:3]) != magic {
		return h, ErrMalformed
	}
	h.frame.Version = b[3]
	h.frame.Kind = binary.BigEndian.Uint16(b[4:])
	for i := range h.sizes {
		n := binary.BigEndian.Uint32(b[8+4*i:])
		if uint64(n) > uint64(maxPart) {
			return h, ErrTooLarge
		}
		h.sizes[i] = int(n)
		h.total += int(n)
	}
	return h, nil
}

// ReadFrame reads one frame of which no part is longer than maxPart bytes. The
// memory that it takes is bounded by what was really sent, not by what the
// header announces. buf, which may be nil, is used where it is large enough;
// the parts of the frame then point into it.
//
// It returns io.EOF if nothing was sent, io.ErrUnexpectedEOF for half a frame,
// and ErrMalformed or ErrTooLarge, the latter with the frame's version and kind.
func ReadFrame(r io.Reader, maxPart int, buf []byte) (Frame, error) {
	buf = buf[:0]
	if cap(buf) < headerSize {
		buf = make([]byte, 0, 4096)
	}
	buf, err := readTo(r, buf, headerSize)
	if err != nil {
		// Garbage that is shorter than a header is garbage, not half a frame.
		if n := min(len(buf), len(magic)); errors.Is(err, io.ErrUnexpectedEOF) && string(buf[:n]) != magic[:n] {
			return Frame{}, ErrMalformed
		}
		return Frame{}, err
	}
	h, err := parseHeader(buf, maxPart)
	if err != nil {
		return h.frame, err
	}
	buf, err = readTo(r, buf, headerSize+h.total)
	if err != nil {
		return h.frame, err
	}
	rest := buf[headerSize : headerSize+h.total]
	for i, n := range h.sizes {
		h.frame.Parts[i], rest = rest[:n:n], rest[n:]
	}
	return h.frame, nil
}

// readTo reads until buf holds want bytes or more, and grows it as they come.
func readTo(r io.Reader, buf []byte, want int) ([]byte, error) {
	for len(buf) < want {
		if len(buf) == cap(buf) {
			grown := make([]byte, len(buf), min(2*cap(buf), max(want, cap(buf)+1)))
			copy(grown, buf)
			buf = grown
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if len(buf) >= want {
			break
		}
		if err == io.EOF && len(buf) > 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return buf, err
		}
	}
	return buf, nil
}
