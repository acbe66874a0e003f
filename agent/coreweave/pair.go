package coreweave

import (
	"strings"

	"github.com/cwagent/cwagent/ipc"
)

// WrongPair names the likeliest refusal there is with CKS, a token at the wrong one of
// a cluster's two endpoints, by the server's name alone; empty if it is no such pair as
// far as that tells. api says that the token is an API Access Token. The URL is
// canonical.
func WrongPair(s ipc.Server, api bool) string {
	host := hostOf(s)
	managed, unmanaged := strings.CutPrefix(host, "api.")
	switch {
	case !cks(host):
		return ""
	case api && unmanaged:
		return host + " takes no API Access Tokens, " + managed + " does"
	case !api && !unmanaged:
		return host + " takes API Access Tokens only, others go to api." + host
	}
	return ""
}
