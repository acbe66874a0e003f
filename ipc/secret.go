package ipc

import "crypto/subtle"

const redacted = "[secret]"

// A Secret is a token that does not print itself: fmt, log/slog and
// encoding/json show "[secret]". The string is behind a pointer because fmt
// walks into unexported fields without asking String: there it finds an
// address. The zero Secret is empty.
type Secret struct{ v *string }

// NewSecret wraps s.
func NewSecret(s string) Secret { return Secret{&s} }

// Reveal returns the token itself. Every call of it is a place to review.
func (s Secret) Reveal() string {
	if s.v == nil {
		return ""
	}
	return *s.v
}

// Empty reports whether there is no token.
func (s Secret) Empty() bool { return s.v == nil || *s.v == "" }

// Equal compares two secrets in constant time for equal lengths.
func (s Secret) Equal(t Secret) bool {
	return subtle.ConstantTimeCompare([]byte(s.Reveal()), []byte(t.Reveal())) == 1
}

func (Secret) String() string   { return redacted }
func (Secret) GoString() string { return redacted }

// MarshalText redacts for encoding/json, YAML and log/slog.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
