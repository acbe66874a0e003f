package agent

import (
	"crypto/sha256"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// An inquiry is what a caller of the plugin wants. Its bytes are the same from one
// kubectl to the next, and to read them costs more than all the rest.
type inquiry struct {
	sum        [sha256.Size]byte // of the bytes: a proxy's password may be in them
	apiVersion string
	named      bool       // the caller names a server
	server     ipc.Server // canonical
}

// inquire reads a KUBERNETES_EXEC_INFO, unless it is the last one that c was asked
// with.
func (a *Agent) inquire(c *credential, execInfo []byte, now time.Time) (*inquiry, error) {
	sum := sha256.Sum256(execInfo)
	if last := c.asked.Load(); last != nil && last.sum == sum {
		return last, nil
	}
	ask, err := a.Codec.Decode(execInfo)
	if err != nil {
		return nil, err
	}
	q, err := c.understand(ask, now)
	if err != nil {
		return nil, err
	}
	q.sum = sum
	c.asked.Store(q)
	return q, nil
}

// understand names the server of ask as bindings do. One that makes no sense is
// remembered for status.
func (c *credential) understand(ask Ask, now time.Time) (*inquiry, error) {
	if ask.Server == nil {
		return &inquiry{apiVersion: ask.APIVersion}, nil
	}
	server, err := Canonical(*ask.Server)
	if e, ok := err.(*ipc.Error); ok {
		// Nothing else of it: a proxy may have a password.
		c.refusal.Store(&ipc.Refusal{At: now, Server: &ipc.Server{URL: quote(redactUserinfo(ask.Server.URL))}, Hint: e.Hint})
		return nil, err
	}
	return &inquiry{apiVersion: ask.APIVersion, named: true, server: server}, nil
}

// admit reports whether the credential may go to the server of q; a refusal is
// remembered for status.
func (c *credential) admit(q *inquiry, now time.Time) error {
	switch {
	case !q.named && c.noClusterInfo, q.named && c.bound(q.server):
		return nil
	case !q.named:
		return c.refuse(ipc.Refusal{
			At: now, Hint: "set provideClusterInfo: true in the kubeconfig, or: cwagent servers " + c.name + " --no-cluster-info",
		}, "the caller does not say for which server")
	}
	what := "not bound to " + quote(q.server.URL)
	if c.boundURL(q.server.URL) {
		what += " with that certificate authority, proxy or TLS setting"
	}
	if c.setting.Servers != nil {
		return c.refuse(ipc.Refusal{
			At: now, Server: &q.server, Hint: "if that server is yours, add it to servers of this credential in config.yaml, with its caFile, proxyURL and tlsServerName",
		}, what)
	}
	hint := "if that server is yours: "
	if q.server.ProxySHA256 != "" {
		hint = "if that server is yours (write the proxy's user and password into its URL): "
	}
	return c.refuse(ipc.Refusal{At: now, Server: &q.server, Hint: hint + ServersLine(c.name, q.server)}, what)
}

// refuse remembers a refusal for status, and says it.
func (c *credential) refuse(r ipc.Refusal, what string) error {
	c.refusal.Store(&r)
	return &ipc.Error{Code: ipc.CodeNotBound, What: "credential " + quote(c.name) + ": " + what, Hint: r.Hint}
}

// boundURL reports whether a binding differs from the request in more hidden
// fields only.
func (c *credential) boundURL(url string) bool {
	for _, s := range c.bindings() {
		if s.URL == url {
			return true
		}
	}
	return false
}
