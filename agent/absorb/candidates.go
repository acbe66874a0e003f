package absorb

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/ipc"
)

// candidates returns the credentials whose successor the token of u may be, by its
// servers; where there is none it says so.
func (e *examination) candidates(u *kubeconfig.User, servers []ipc.Server) []ipc.Credential {
	if len(servers) == 0 {
		e.found(u, "", "no context of the file uses it, so nobody knows which credential it is for", e.importHint())
		return nil
	}
	var fit []ipc.Credential
	for _, c := range e.credentials {
		switch {
		case !serves(c, servers):
			continue
		case c.Name == u.Ours:
			return []ipc.Credential{c} // the user refers to it: the token stands beside
		}
		fit = append(fit, c)
	}
	if len(fit) == 0 {
		e.found(u, "", "no credential is bound to all servers of its contexts", e.importHint())
	}
	return fit
}

// ofItsOwner returns the only candidate or, of several, the only one that may belong
// to whom the token of u belongs to; else it says why there is not one.
func (e *examination) ofItsOwner(ctx context.Context, u *kubeconfig.User, candidates []ipc.Credential) (ipc.Credential, bool) {
	if len(candidates) == 1 {
		return candidates[0], true
	}
	var same []ipc.Credential
	var names, rotate []string
	for _, c := range candidates {
		_, err := e.Agent.Add(ctx, e.trial(u, c))
		if ours := (*ipc.Error)(nil); errors.As(err, &ours) && ours.Code == ipc.CodeIdentity {
			continue
		}
		if err != nil {
			e.refused(u, c, err)
			return ipc.Credential{}, false
		}
		same, names, rotate = append(same, c), append(names, c.Name), append(rotate, "cwagent rotate "+c.Name)
	}
	switch len(same) {
	case 0:
		e.found(u, "", fmt.Sprintf("%d credentials are bound to its servers, and none belongs to its owner", len(candidates)),
			e.importHint()+" makes it a credential of its own")
		return ipc.Credential{}, false
	case 1:
		return same[0], true
	}
	e.found(u, "", fmt.Sprintf("%d credentials of its owner are bound to its servers: %s", len(same), strings.Join(names, ", ")),
		strings.Join(rotate, " or ")+" gives it to the one that is meant")
	return ipc.Credential{}, false
}

// trial asks whether the token of u may take over from that of c. The agent compares
// the owners, and wants to know all of the new one that is known of the old one.
func (e *examination) trial(u *kubeconfig.User, c ipc.Credential) ipc.AddRequest {
	return ipc.AddRequest{Name: c.Name, Secret: u.Token, ID: e.id, Expiry: ipc.ExpiryUnknown, Replace: true, DryRun: true}
}
