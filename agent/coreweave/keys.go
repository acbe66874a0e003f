package coreweave

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

const (
	keysPath = "/v1/cwobject/temporary-credentials/api-token" // documented: "Direct access token exchange"
	maxKey   = 16 << 10                                       // bytes of a key; a session token may have some thousand
)

// Keys implements agent.Exchange: it exchanges an API Access Token for temporary keys of
// AI Object Storage, at the endpoint and by the rules by which whoami is asked.
func (v *Verifier) Keys(ctx context.Context, token ipc.Secret) (agent.Keys, error) {
	if !agent.IsAPIToken(token) {
		return agent.Keys{}, &agent.SourceError{Class: agent.Broken, Why: "the token is not for CoreWeave's endpoint"}
	}
	ctx, cancel := context.WithTimeout(ctx, v.limit)
	defer cancel()
	c := &inquiry{Verifier: v, request: agent.VerifyRequest{Token: token}}
	to := target{proxy: v.proxy}
	var err error
	if to.ca, err = c.endpointCA(); err != nil {
		return agent.Keys{}, &agent.SourceError{Class: agent.Broken, Why: err.Error()}
	}
	r, err := c.do(ctx, to, http.MethodGet, c.Endpoint+keysPath, nil)
	defer clear(r.body)
	a := c.endpointAnswer("temporary-credentials", r, err)
	switch {
	case a.refused():
		return agent.Keys{}, &agent.SourceError{Class: agent.Denied, Why: c.tidy([]string{a.why})}
	case err != nil || r.status != http.StatusOK:
		return agent.Keys{}, &agent.SourceError{Class: agent.Transient, Why: c.tidy([]string{a.why})}
	}
	keys, ok := c.parseKeys(r.body)
	if !ok || r.cut {
		return agent.Keys{}, &agent.SourceError{Class: agent.Transient, Why: a.why + " but " + form(r)}
	}
	return keys, nil
}

// parseKeys reads the documented answer, which has the form that AWS gives to the
// credentials of containers, and writes the one that it gives to a credential_process.
//
// The expiry is told as it is, because clients renew early by themselves: botocore asks
// again from a quarter of an hour before it on, and insists on others from ten minutes
// before it. With keys that live no longer than that it asks at each request, and gets
// these from memory; told of an earlier end it would refuse what is good.
func (c *inquiry) parseKeys(body []byte) (agent.Keys, bool) {
	var in struct {
		ID         string `json:"AccessKeyId"`
		Secret     string `json:"SecretAccessKey"`
		Token      string
		Expiration string
	}
	if json.Unmarshal(body, &in) != nil || !isKey(in.ID) || !isKey(in.Secret) || in.Token != "" && !isKey(in.Token) {
		return agent.Keys{}, false
	}
	expires, err := time.Parse(time.RFC3339, in.Expiration)
	if err != nil || c.leaks(in.ID) || c.leaks(in.Secret) || c.leaks(in.Token) {
		return agent.Keys{}, false
	}
	answer, err := json.Marshal(struct {
		Version    int
		ID         string `json:"AccessKeyId"`
		Secret     string `json:"SecretAccessKey"`
		Token      string `json:"SessionToken,omitempty"`
		Expiration time.Time
	}{1, in.ID, in.Secret, in.Token, expires.UTC()})
	defer clear(answer)
	return agent.Keys{Answer: ipc.NewSecret(string(answer)), Expires: expires}, err == nil
}

// isKey reports whether s can be one half of a key, or a session token: printable ASCII
// without blanks, as it goes into headers.
func isKey(s string) bool {
	return s != "" && len(s) <= maxKey && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}
