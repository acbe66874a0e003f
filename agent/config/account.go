package config

import (
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/lazyregexp"
	"github.com/cwagent/cwagent/ipc"
)

// A ServiceAccount is one of a cluster, whose API server makes tokens for it.
type ServiceAccount struct {
	Namespace string
	Name      string
	Lifetime  time.Duration // 10 min at least; 1 h where the file does not say
	Audiences []string      // empty: the API server's own
	From      string        // the credential whose token asks; may be the one that is renewed
	Server    string        // canonical URL of the server that is asked; empty: the only one of From
}

// accountSource is one as it is written.
type accountSource struct {
	Namespace value `yaml:"namespace"`
	Name      value `yaml:"name"`
	Lifetime  value `yaml:"lifetime"`
	Audiences list  `yaml:"audiences"`
	From      value `yaml:"from"`
	Server    value `yaml:"server"`

	line int
}

// UnmarshalYAML implements yaml.Unmarshaler.
func (f *accountSource) UnmarshalYAML(n *yaml.Node) error {
	type plain accountSource
	f.line = n.Line
	return strict(n, (*plain)(f))
}

// account judges the source of the credential of that name.
func (f *accountSource) account(name string) (*ServiceAccount, error) {
	const key = "source.serviceAccount"
	a := &ServiceAccount{Namespace: f.Namespace.text, Name: f.Name.text, Lifetime: time.Hour, From: name}
	if err := proper(key, append(list{f.Namespace, f.Name, f.From, f.Server}, f.Audiences...)...); err != nil {
		return nil, err
	}
	switch {
	case a.Namespace == "":
		return nil, missing(f.line, key+".namespace", "namespace: NAMESPACE of the service account")
	case a.Name == "":
		return nil, missing(f.line, key+".name", "name: NAME of the service account")
	case !isLabel(a.Namespace):
		return nil, f.Namespace.problem(key+".namespace: not a DNS label", "up to 63 lower-case letters, digits and hyphens")
	case !isSubdomain(a.Name):
		return nil, f.Name.problem(key+".name: not a DNS name", "lower-case letters, digits, hyphens and dots, as kubectl get serviceaccounts shows it")
	}
	if f.Lifetime.given() {
		var err error
		if a.Lifetime, err = duration(key+".lifetime", f.Lifetime, "1h or 10m"); err != nil {
			return nil, err
		}
		if a.Lifetime < 10*time.Minute {
			return nil, f.Lifetime.problem(key+".lifetime: less than 10m", "no API server grants less")
		}
	}
	for _, v := range f.Audiences {
		if v.text == "" {
			return nil, v.problem(key+".audiences: an empty one", "leave audiences out for the API server's own")
		}
		a.Audiences = append(a.Audiences, v.text)
	}
	return a, f.lender(a)
}

// lender reads who asks, and where.
func (f *accountSource) lender(a *ServiceAccount) error {
	const key = "source.serviceAccount"
	if f.From.given() {
		if e, ok := agent.CheckName(f.From.text).(*ipc.Error); ok {
			return f.From.problem(key+".from: not the name of a credential", e.Hint)
		}
		a.From = f.From.text
	}
	if f.Server.given() {
		s, err := agent.Canonical(ipc.Server{URL: f.Server.text})
		if err != nil {
			return uncanonical(key+".server", f.Server, err)
		}
		a.Server = s.URL
	}
	return nil
}

// label is one that Kubernetes allows (RFC 1123).
var label = lazyregexp.New(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

func isLabel(s string) bool { return label().MatchString(s) }

// isSubdomain allows dots, too: a service account may be named so.
func isSubdomain(s string) bool {
	for part := range strings.SplitSeq(s, ".") {
		if !isLabel(part) {
			return false
		}
	}
	return len(s) <= 253
}

// checkLenders finds service accounts that could never be asked for, because of
// what the file says about the servers of the credential that would ask. What
// the agent has learnt is not known here.
func (f *file) checkLenders(all []Credential) error {
	const key = "source.serviceAccount"
	servers := map[string][]Server{}
	for _, c := range all {
		servers[c.Name] = c.Servers
	}
	for i, c := range all {
		a, at := c.Source.ServiceAccount, f.Credentials[i].Source.ServiceAccount
		if a == nil || servers[a.From] == nil {
			continue
		}
		bound := servers[a.From]
		found := 0
		for _, s := range bound {
			if a.Server == "" || a.Server == s.URL {
				found++
			}
		}
		switch {
		case len(bound) == 0:
			return &problem{at.line, key + ": credential " + a.From + " has no server that could be asked", "its entry says servers: []"}
		case found == 0:
			return at.Server.problem(key+".server: not one of the servers of credential "+a.From, "add it to the servers of its entry")
		case found > 1 && a.Server == "":
			return missing(at.line, key+".server", "credential "+a.From+" has several servers: server: URL says which is asked")
		}
	}
	return nil
}
