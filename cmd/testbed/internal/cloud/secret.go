package cloud

import (
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
)

const (
	secretPrefix = "CW-SECRET-"
	secretLength = 32
	alphabet     = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	redacted     = secretPrefix + "[redacted]"
)

// Secret is a bearer token that does not print itself; Reveal is the only way to its text.
type Secret struct{ text string }

func newSecret() Secret { return Secret{secretPrefix + random(alphabet, secretLength)} }

func (s Secret) Reveal() string { return s.text }

func (Secret) String() string               { return redacted }
func (Secret) Format(f fmt.State, _ rune)   { io.WriteString(f, redacted) }
func (Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

func random(alphabet string, n int) string {
	out := make([]byte, 0, n)
	// Bytes at or over the largest multiple of the alphabet's length would favour its first letters.
	limit := 256 - 256%len(alphabet)
	for one := make([]byte, 1); len(out) < n; {
		rand.Read(one)
		if int(one[0]) < limit {
			out = append(out, alphabet[int(one[0])%len(alphabet)])
		}
	}
	return string(out)
}
