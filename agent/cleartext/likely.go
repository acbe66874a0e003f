package cleartext

import (
	"strings"

	"github.com/cwagent/cwagent/agent/lazyregexp"
)

// shortest is the length in bytes from which on a value of an unknown shape is taken
// for a token: bearer tokens carry 128 bits or more, which is 22 digits of base64, and
// some are cut shorter.
const shortest = 16

// digits are the characters of tokens: base64, base64url, hex, UUIDs, JWTs.
var digits = lazyregexp.New(`^[A-Za-z0-9._~+/=-]+$`)

// filler matches what people write in place of a token.
var filler = lazyregexp.New(`(?i)(your|example|change[_-]?me|placeholder|redacted|dummy|replace|insert|todo|secret[_-]?here|token[_-]?here|api[_-]?token|xxxx|\.\.\.|\*\*\*)`)

// likely reports whether a value is a token rather than something that stands for one:
// a reference of any kind has signs that tokens have not, and a path begins as one.
func likely(value string) bool {
	return len(value) >= shortest && digits().MatchString(value) && !strings.HasPrefix(value, "/") && !strings.HasPrefix(value, ".") && !strings.HasPrefix(value, "~") &&
		strings.ContainsAny(value, "0123456789") && strings.ContainsAny(strings.ToLower(value), "abcdefghijklmnopqrstuvwxyz") && !stands(value)
}

// stands reports whether what follows the prefix, or a whole value, stands for a token.
// Nothing is known of how long tokens are, so that a short rest is one.
func stands(rest string) bool {
	rest = strings.Trim(rest, ".:?!")
	switch strings.ToLower(rest) {
	case "", "secret", "token", "foo", "bar":
		return true
	}
	return filler().MatchString(rest) || strings.Trim(rest, rest[:1]) == "" && (len(rest) > 2 || strings.Contains("xX*_-", rest[:1]))
}
