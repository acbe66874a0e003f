package kubeconfig

import (
	"bytes"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// stride is how many runes lie between two noted positions.
const stride = 256

// positions finds bytes by line and column in constant time: a kubeconfig with
// thousands of users may be JSON in one line.
type positions struct {
	lines []int // index of the first rune of each line
	marks []int // offset of each rune whose index is a multiple of stride
}

func newPositions(text []byte) *positions {
	p := &positions{lines: []int{0}}
	at := len(text) - len(bytes.TrimPrefix(text, bom)) // which the library does not see
	for rune := 0; at < len(text); rune++ {
		if rune%stride == 0 {
			p.marks = append(p.marks, at)
		}
		size := 1
		switch b := text[at]; {
		case b == '\n':
			p.lines = append(p.lines, rune+1)
		case b >= utf8.RuneSelf:
			_, size = utf8.DecodeRune(text[at:])
		}
		at += size
	}
	return p
}

// offset returns where a node begins. The library counts lines from 1 and
// columns in runes.
func (f *File) offset(n *yaml.Node) (int, error) {
	if f.places == nil {
		f.places = newPositions(f.text)
	}
	p := f.places
	if n.Line < 1 || n.Line > len(p.lines) {
		return 0, f.refuseLine(n.Line, "its position cannot be told", "a line break other than LF or CRLF, perhaps")
	}
	rune := p.lines[n.Line-1] + n.Column - 1
	if rune/stride >= len(p.marks) {
		return len(f.text), nil
	}
	at := p.marks[rune/stride]
	for range rune % stride {
		if at < len(f.text) {
			_, size := utf8.DecodeRune(f.text[at:])
			at += size
		}
	}
	return at, nil
}

// lineStart returns where the line begins that at stands in.
func (f *File) lineStart(at int) int { return bytes.LastIndexByte(f.text[:at], '\n') + 1 }

// lineEnd returns where the line ends that at stands in, before its line break.
func (f *File) lineEnd(at int) int {
	end := len(f.text)
	if i := bytes.IndexByte(f.text[at:], '\n'); i >= 0 {
		end = at + i
	}
	if end > at && f.text[end-1] == '\r' {
		end--
	}
	return end
}

// lineBreak is the one that stands at end, which lineEnd found; the last line may
// have none, and gets that of the first.
func (f *File) lineBreak(end int) string {
	if end == len(f.text) {
		end = f.lineEnd(0)
	}
	if bytes.HasPrefix(f.text[end:], []byte("\r\n")) {
		return "\r\n"
	}
	return "\n"
}
