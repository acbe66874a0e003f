package ipc

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"
)

const (
	// Version of the protocol is the newest that this package speaks, Oldest the
	// oldest.
	Version = 1
	Oldest  = 1

	// MaxPart is the most bytes that one part of a request may have. execve
	// allows 128 KiB for one environment variable, name and "=" included.
	MaxPart = 128 << 10

	// MaxJSON is the most bytes that part 0 of a request may have which is not a
	// fetch: an AddRequest carries the CA bundles of its servers.
	MaxJSON = 1 << 20

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

// AppendFrame appends the bytes of f to b. It grows b once and before anything
// of f is in it, so that no copy of a secret stays behind.
func AppendFrame(b []byte, f Frame) []byte {
	size := headerSize
	for _, p := range f.Parts {
		size += len(p)
	}
	b = slices.Grow(b, size)
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

// limits says how many bytes a part of a frame of that kind may have.
type limits func(kind uint16, part int) int

// parseHeader reads the fixed part of a frame.
func parseHeader(b []byte, limit limits) (header, error) {
	var h header
	if len(b) < headerSize || string(b[:3]) != magic {
		return h, ErrMalformed
	}
	h.frame.Version = b[3]
	h.frame.Kind = binary.BigEndian.Uint16(b[4:])
	for i := range h.sizes {
		n := binary.BigEndian.Uint32(b[8+4*i:])
		if uint64(n) > uint64(limit(h.frame.Kind, i)) {
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
// What it outgrows, and on an error all that it has read, is cleared: it may be
// a secret. The rest is the caller's to clear.
func ReadFrame(r io.Reader, maxPart int, buf []byte) (Frame, error) {
	return readFrame(r, func(uint16, int) int { return maxPart }, buf)
}

// ReadRequest is [ReadFrame] with the limits of a request.
func ReadRequest(r io.Reader, buf []byte) (Frame, error) {
	return readFrame(r, func(kind uint16, part int) int {
		if part == 0 && Op(kind) != OpFetch {
			return MaxJSON
		}
		return MaxPart
	}, buf)
}

func readFrame(r io.Reader, limit limits, buf []byte) (_ Frame, err error) {
	buf = buf[:0]
	if cap(buf) < headerSize {
		buf = make([]byte, 0, 4096)
	}
	defer func() {
		if err != nil {
			clear(buf)
		}
	}()
	buf, err = readTo(r, buf, headerSize)
	if err != nil {
		// Garbage that is shorter than a header is garbage, not half a frame.
		if n := min(len(buf), len(magic)); errors.Is(err, io.ErrUnexpectedEOF) && string(buf[:n]) != magic[:n] {
			return Frame{}, ErrMalformed
		}
		return Frame{}, err
	}
	h, err := parseHeader(buf, limit)
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
			clear(buf)
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
