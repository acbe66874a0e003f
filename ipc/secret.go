package ipc

import (
	"crypto/subtle"
	"runtime"
	"strings"
)

const redacted = "[secret]"

// A Secret is a token that does not print itself: fmt, log/slog and
// encoding/json show "[secret]". The string is behind a pointer because fmt
// walks into unexported fields without asking String: there it finds an
// address. (Behind one to a struct it would look.) The zero Secret is empty.
type Secret struct {
	v    *string
	lent bool // the memory of the string is taken back once nobody has v any more
}

// NewSecret wraps s.
func NewSecret(s string) Secret { return Secret{v: &s} }

// Lent wraps s, whose memory is not the garbage collector's: back is called, once,
// when nobody has the Secret any more, and s may then change. It must not hold on
// to the Secret.
func Lent(s string, back func()) Secret {
	v := &s
	runtime.AddCleanup(v, func(back func()) { back() }, back)
	return Secret{v, true}
}

// IsLent reports whether the memory of the token is somebody's who takes it back.
func (s Secret) IsLent() bool { return s.lent }

// Reveal returns the token itself. Every call of it is a place to review. Of one
// that is lent it is a copy, because a string may outlive the Secret; the other
// methods make none.
func (s Secret) Reveal() string {
	text := s.text()
	if s.lent {
		text = strings.Clone(text)
		runtime.KeepAlive(s.v)
	}
	return text
}

// text is what must not be used after the last use of s.
func (s Secret) text() string {
	if s.v == nil {
		return ""
	}
	return *s.v
}

// Append appends the token to b.
func (s Secret) Append(b []byte) []byte {
	b = append(b, s.text()...)
	runtime.KeepAlive(s.v)
	return b
}

// Read calls f with the token itself, of which f keeps nothing, no part of it either.
func (s Secret) Read(f func(token string)) {
	f(s.text())
	runtime.KeepAlive(s.v)
}

// Len is how many bytes the token has.
func (s Secret) Len() int { return len(s.text()) }

// Empty reports whether there is no token.
func (s Secret) Empty() bool { return s.Len() == 0 }

// Equal compares two secrets in constant time for equal lengths.
func (s Secret) Equal(t Secret) bool {
	equal := subtle.ConstantTimeCompare([]byte(s.text()), []byte(t.text())) == 1
	runtime.KeepAlive(s.v)
	runtime.KeepAlive(t.v)
	return equal
}

func (Secret) String() string   { return redacted }
func (Secret) GoString() string { return redacted }

// MarshalText redacts for encoding/json, YAML and log/slog.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
