package source

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// claims are what a JWT says of itself; zero where it does not.
type claims struct{ expires, issued time.Time }

// readJWT reads a token that is a JWT. Nothing is verified, and nothing but the
// times is taken: a forged one is refused by its server.
func readJWT(token ipc.Secret) (claims, bool) {
	parts := strings.Split(token.Reveal(), ".")
	if len(parts) != 3 {
		return claims{}, false
	}
	var payload struct {
		Exp *float64 `json:"exp"` // RFC 7519: a fraction is allowed
		Iat *float64 `json:"iat"`
	}
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil || json.Unmarshal(b, &payload) != nil {
		return claims{}, false
	}
	return claims{instant(payload.Exp), instant(payload.Iat)}, true
}

// instant is a NumericDate. What is beyond the year 9999 cannot be written down
// as RFC 3339, and is taken for no date.
func instant(seconds *float64) time.Time {
	const year9999 = 253402300800
	if seconds == nil || *seconds <= 0 || *seconds >= year9999 {
		return time.Time{}
	}
	return time.Unix(int64(*seconds), 0)
}
