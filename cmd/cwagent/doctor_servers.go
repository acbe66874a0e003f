package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/coreweave"
	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/ipc"
)

// servers are those that a user's contexts lead to, as far as they get a token.
func (k kubeconfigs) servers(f *kubeconfig.File, user string) (out []ipc.Server, err error) {
	all, err := f.ServersOf(user, k.with(f))
	for _, s := range all {
		if s, err := agent.Canonical(s); err == nil {
			out = append(out, s)
		}
	}
	return out, err
}

// lookServers finds what the agent would refuse. To bind a credential to a server gives
// that its token, and so is nothing that --fix does.
func lookServers(_ context.Context, p *subject) (found []finding) {
	s, err := p.status()
	if err != nil {
		return []finding{noAgent(err)}
	}
	k := p.kubeconfigs()
	for _, c := range k.calls() {
		at := fmt.Sprintf("%s, line %d, user %s", c.file.Path, c.Line, kubeconfig.HideTokens(c.User))
		i := slices.IndexFunc(s.Credentials, func(cred ipc.Credential) bool { return cred.Name == c.Credential })
		servers, err := k.servers(c.file, c.User)
		if i < 0 {
			found = append(found, finding{Grade: gradeBroken, Cause: "a kubeconfig names credential " + c.Credential + ", which the agent has not got", Proof: at,
				Mend: "hand its token over, if it is meant for the server", Command: addLine(c.Credential, servers)})
			continue
		}
		if err != nil {
			found = append(found, unchecked("%s: %v", at, err))
		}
		for _, server := range servers {
			if slices.Contains(s.Credentials[i].Servers, server) {
				continue
			}
			f := finding{Grade: gradeBroken, Cause: fmt.Sprintf("credential %s is not bound to %s, and not given out for it", c.Credential, server.URL), Proof: at,
				Mend: "if its token is meant for that server", Command: agent.ServersLine(c.Credential, server)}
			if j := slices.IndexFunc(s.Credentials[i].Servers, func(b ipc.Server) bool { return b.URL == server.URL }); j >= 0 {
				f.Proof += "; it is bound to that address with another CA, proxy or TLS name"
			}
			found = append(found, f)
		}
	}
	return found
}

// addLine is the command that binds a new credential as the kubeconfig has it.
func addLine(name string, servers []ipc.Server) string {
	lines := []string{"cwagent add " + quotedWord(name) + " --server URL"}
	for i, s := range servers {
		line := agent.ServersLine(quotedWord(name), s)
		if i == 0 {
			lines[0] = strings.Replace(line, "cwagent servers "+quotedWord(name)+" --add ", "cwagent add "+quotedWord(name)+" --server ", 1)
		} else {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, " && ")
}

// lookEndpoint finds tokens at the wrong one of a cluster's two endpoints, in
// kubeconfigs and at the agent.
func lookEndpoint(_ context.Context, p *subject) (found []finding) {
	add := func(proof string, s ipc.Server, api bool) {
		if why := coreweave.WrongPair(s, api); why != "" {
			found = append(found, finding{Grade: gradeBroken, Cause: "a token is at the wrong one of a cluster's two endpoints: " + why, Proof: proof + ": " + s.URL,
				Mend: "correct the server, or take a token of the other kind"})
		}
	}
	k := p.kubeconfigs()
	for _, f := range k.files {
		for _, u := range f.Users {
			api := agent.IsAPIToken(u.Token)
			if !api && !isJWT(u.Token) {
				continue
			}
			servers, _ := k.servers(f, u.Name) // what is wrong with them is said elsewhere
			for _, s := range servers {
				add(fmt.Sprintf("%s, line %d, user %s", f.Path, u.Line, kubeconfig.HideTokens(u.Name)), s, api)
			}
		}
	}
	s, err := p.status()
	if err != nil {
		return append(found, noAgent(err))
	}
	for _, cred := range s.Credentials {
		if api, known := kindOf(cred); known {
			for _, server := range cred.Servers {
				add("credential "+cred.Name, server, api)
			}
		}
	}
	return found
}

// isJWT reports whether a token looks like a ServiceAccount's or an OIDC one.
func isJWT(s ipc.Secret) (is bool) {
	s.Read(func(token string) { is = strings.HasPrefix(token, "eyJ") && strings.Count(token, ".") == 2 })
	return is
}

// kindOf says whether a credential's token is an API Access Token, by what is known of
// it: it is not asked for.
func kindOf(cred ipc.Credential) (api, known bool) {
	switch {
	case cred.Source == "serviceAccount":
		return false, true
	case cred.Identity.OrgUID != "" || cred.ID != "":
		return true, true
	}
	return false, cred.Identity.User != ""
}
