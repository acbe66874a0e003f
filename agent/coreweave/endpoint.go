package coreweave

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

const (
	whoamiPath   = "/v1beta1/auth/whoami"             // semi-public: Terraform's provider and CoreWeave's CLI use it
	clustersPath = "/v1beta1/cks/clusters"            // documented
	maxCAFile    = 1 << 20                            // bytes; the bundle of a whole system has a quarter of that
	maxIdentity  = 512                                // bytes of a name
	anonymous    = "system:anonymous"                 // whom an API server takes a request without a token for
	webPage      = "a web page: a proxy, or a portal" // what an HTML answer is taken for
)

// askEndpoint asks whoami, and where there is none the list of clusters.
func (c *inquiry) askEndpoint(ctx context.Context) answer {
	if len(c.request.Servers) > 0 {
		// An endpoint that hangs must leave time to ask the servers.
		end, _ := ctx.Deadline() // there is one: inquire has set it
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)*6/10)
		defer cancel()
	}
	to := target{proxy: c.proxy}
	var err error
	if to.ca, err = c.endpointCA(); err != nil {
		return answer{why: err.Error()}
	}
	a := c.askWhoami(ctx, to)
	if a.reply.status != http.StatusNotFound {
		return a
	}
	b := c.askClusters(ctx, to)
	b.why = a.why + "; " + b.why
	return b
}

func (c *inquiry) askWhoami(ctx context.Context, to target) answer {
	r, err := c.do(ctx, to, http.MethodGet, c.Endpoint+whoamiPath, nil)
	a := c.endpointAnswer("whoami", r, err)
	if r.status != http.StatusOK || err != nil {
		return a
	}
	id, ok := parseWhoami(r.body)
	if !ok || r.cut || c.leaks(id.UID) || c.leaks(id.OrgUID) {
		a.why += " but " + form(r)
		return a
	}
	a.says, a.identity = knows, id
	return a
}

// askClusters is the documented way where whoami is gone. It does not tell whose
// the token is, and a refusal may only mean that its owner may not list clusters.
func (c *inquiry) askClusters(ctx context.Context, to target) answer {
	r, err := c.do(ctx, to, http.MethodGet, c.Endpoint+clustersPath, nil)
	a := c.endpointAnswer("cks/clusters", r, err)
	switch {
	case a.says == refuses:
		a.says = forbids
	case err != nil || r.status != http.StatusOK:
	case parseClusters(r.body):
		a.says = knows
	default:
		a.why += " but " + form(r)
	}
	return a
}

// endpointAnswer judges everything but a 200.
func (c *inquiry) endpointAnswer(what string, r reply, err error) answer {
	a := answer{reply: r}
	switch {
	case err != nil:
		a.why = what + ": " + err.Error()
		return a
	case r.html() && r.status != http.StatusOK:
		a.why = what + ": " + r.code() + ", but with " + webPage
		return a
	case (r.status == http.StatusUnauthorized || r.status == http.StatusForbidden) && !r.ours():
		a.why = what + " says " + r.code() + ", but not as CoreWeave's API does: a proxy, or a gateway"
		return a
	case r.status == http.StatusUnauthorized:
		a.says = refuses
	case r.status == http.StatusForbidden:
		a.says = forbids
	}
	a.why = what + " says " + r.code()
	return a
}

// form says in which way a 200 is not the documented one.
func form(r reply) string {
	switch {
	case r.html():
		return "with " + webPage
	case r.cut:
		return "with more than can be true"
	}
	return "not in the documented form"
}

// leaks reports whether a name that a server gives holds the token: it would be
// shown and kept.
func (c *inquiry) leaks(name string) (does bool) {
	c.request.Token.Read(func(token string) { does = strings.Contains(name, token) })
	return does
}

// parseWhoami reads the documented {"principal":{"uid","orgUid",...}}.
func parseWhoami(body []byte) (ipc.Identity, bool) {
	var w struct {
		Principal struct {
			UID    string `json:"uid"`
			OrgUID string `json:"orgUid"`
		} `json:"principal"`
	}
	if json.Unmarshal(body, &w) != nil || !isName(w.Principal.UID) || !isName(w.Principal.OrgUID) {
		return ipc.Identity{}, false
	}
	return ipc.Identity{UID: w.Principal.UID, OrgUID: w.Principal.OrgUID}, true
}

// isName reports whether s can be shown to a person as the name of somebody.
func isName(s string) bool {
	return s != "" && len(s) <= maxIdentity && strings.IndexFunc(s, func(r rune) bool { return !printable(r) }) < 0
}

// parseClusters reads the documented {"items":[{"id","name",...}]}, as far as
// the first item: an organization may have more clusters than fit into what is
// read, and the first one proves as much as all.
func parseClusters(body []byte) bool {
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return false
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return false
		}
		if key != "items" {
			var skipped json.RawMessage
			if d.Decode(&skipped) != nil {
				return false
			}
			continue
		}
		if t, err := d.Token(); err != nil || t != json.Delim('[') {
			return false
		}
		if !d.More() {
			t, err := d.Token()
			return err == nil && t == json.Delim(']')
		}
		var item struct{ ID, Name string }
		return d.Decode(&item) == nil && item.ID != "" && item.Name != ""
	}
	return false
}

// endpointCA reads the configured authority, nil for the system's roots.
func (v *Verifier) endpointCA() ([]byte, error) {
	if v.CAFile == "" {
		return nil, nil
	}
	info, err := os.Stat(v.CAFile)
	if err == nil && (!info.Mode().IsRegular() || info.Size() > maxCAFile) {
		err = errors.New("not a regular file, or larger than 1 MiB")
	}
	var b []byte
	if err == nil {
		b, err = os.ReadFile(v.CAFile)
	}
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		err = pe.Err
	}
	if err != nil {
		return nil, errors.New("coreweave.caFile " + v.CAFile + ": " + err.Error())
	}
	if len(bytes.TrimSpace(b)) == 0 {
		// Passed on, it would mean the system's roots.
		return nil, errors.New("coreweave.caFile " + v.CAFile + ": it is empty")
	}
	return b, nil
}
