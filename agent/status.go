package agent

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// Status implements ipc.Agent.
func (a *Agent) Status(_ context.Context, r ipc.StatusRequest) (ipc.Status, error) {
	now := a.Now()
	s := ipc.Status{Agent: a.info(), Store: a.storeInfo(), Credentials: []ipc.Credential{}}
	if r.Name != "" {
		c, err := a.lookup(r.Name)
		if err != nil {
			return ipc.Status{}, err
		}
		s.Credentials = append(s.Credentials, a.describe(c, now))
		return s, nil
	}
	a.mu.RLock()
	creds := make([]*credential, 0, len(a.creds))
	for _, c := range a.creds {
		creds = append(creds, c)
	}
	a.mu.RUnlock()
	slices.SortFunc(creds, func(x, y *credential) int { return strings.Compare(x.name, y.name) })
	for _, c := range creds {
		s.Credentials = append(s.Credentials, a.describe(c, now))
	}
	return s, nil
}

// storeInfo describes the store and what is wrong with it.
func (a *Agent) storeInfo() ipc.StoreInfo {
	info := a.Store.Info()
	if t := a.trouble.Load(); t != nil {
		info.Trouble = t.String()
	}
	return info
}

// describe says how a credential is, without its secret.
func (a *Agent) describe(c *credential, now time.Time) ipc.Credential {
	state, reason := a.judge(c, now)
	if reason == "" && c.fellBack {
		reason = fellBackReason
	}
	servers := c.servers
	if servers == nil {
		servers = []ipc.Server{}
	}
	return ipc.Credential{
		Name: c.name, Revision: c.revision, ID: c.token.id, State: state, Reason: reason,
		Expiry: c.token.expiry, Expires: known(c.token.expires), Created: known(c.token.created),
		Added: c.token.added, Saved: c.saved && !c.missing(), Servers: servers,
		Identity: c.token.identity, Verified: known(c.token.verified),
		NoClusterInfo: c.noClusterInfo, Refusal: c.refusal.Load(),
	}
}

// known is nil for the zero time: what is not known is left out of the JSON.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
