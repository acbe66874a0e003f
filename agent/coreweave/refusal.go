package coreweave

import (
	"encoding/json"
	"net/http"
	"strings"
)

// ours reports whether a 401 or 403 is to be taken for one of CoreWeave's API:
// a proxy's that passes for it would kill a live credential. The package comment
// has the rule and its reasons.
func (r reply) ours() bool {
	switch {
	case r.cut || challenged(r.header):
		return false
	case len(r.body) > 0:
		var object map[string]json.RawMessage
		return json.Unmarshal(r.body, &object) == nil && object != nil
	}
	return (r.header.Get("Content-Type") == "" || r.mime == "application/json") && !signed(r.header)
}

// challenged reports whether somebody wants to see anything but a bearer token,
// which is all that CoreWeave takes. A comma within quotes may be mistaken for the
// end of a challenge: that makes too many of them, never too few.
func challenged(h http.Header) bool {
	if len(h.Values("Proxy-Authenticate")) > 0 {
		return true
	}
	for _, list := range h.Values("WWW-Authenticate") {
		for part := range strings.SplitSeq(list, ",") {
			word, _, _ := strings.Cut(strings.TrimSpace(part), " ")
			if word != "" && !strings.Contains(word, "=") && !strings.EqualFold(word, "Bearer") {
				return true
			}
		}
	}
	return false
}

// signed reports whether a program on the way has left its name.
func signed(h http.Header) bool {
	for name := range h {
		if name == "Via" || name == "Server" || name == "X-Cache" || strings.HasPrefix(name, "Proxy-") || strings.HasPrefix(name, "X-Squid-") {
			return true
		}
	}
	return false
}
