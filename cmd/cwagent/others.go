package main

import (
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/ipc"
)

// leaveOthers notes the users of a file that have no token to take, and why they
// are left alone: import is asked "what about that one?" before it is asked for.
func (p *planner) leaveOthers(f *kubeconfig.File) {
	for _, o := range f.Others {
		s := skip{File: f.Path, User: kubeconfig.HideTokens(o.Name), Kind: string(o.Kind)}
		switch o.Kind {
		case kubeconfig.KindExec:
			s.Why = "it runs " + printable(filepath.Base(o.Detail))
		case kubeconfig.KindAuthProvider:
			s.Why = "it uses auth-provider " + printable(o.Detail) + ", which kubectl has given up"
		case kubeconfig.KindCertificate:
			s.Why = "it has a client certificate"
		case kubeconfig.KindBasic:
			s.Why = "it has a password, which CoreWeave does not know"
		case kubeconfig.KindTokenFile:
			s.Why = "its token is in a file that something else refreshes, and is not copied. For config.yaml:"
			name := credentialName("", kubeconfig.User{Name: kubeconfig.HideTokens(o.Name)})
			s.Config = p.fileSource(f, o, name)
			s.Line, s.Exec = o.Line, kubeconfig.Exec{Command: p.plugin, Credential: name}.Lines()
		default: // ours, or nothing to log in with
			continue
		}
		p.skipped = append(p.skipped, s)
	}
}

// fileSource is what makes a credential of a tokenFile. The agent has no folder of its
// own to start from.
func (p *planner) fileSource(f *kubeconfig.File, o kubeconfig.Other, name string) string {
	text := fmt.Sprintf("credentials:\n- name: %s\n", name)
	servers, err := f.ServersOf(o.Name, p.files)
	if err == nil && len(servers) > 0 {
		text += "  servers:\n"
		for _, s := range servers {
			more := ""
			if s != (ipc.Server{URL: s.URL}) {
				more = " # and its caFile, tlsServerName, proxyURL: see the README"
			}
			text += fmt.Sprintf("  - %s%s\n", quotedURL(s.URL), more)
		}
	}
	path := o.Detail
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return text + fmt.Sprintf("  source: {file: {path: %q}}\n", path)
}

// quotedURL is a URL for YAML, without a password.
func quotedURL(url string) string { return strconv.Quote(userinfo().ReplaceAllString(url, "//")) }
