package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/ipc"
)

// A candidate is the token of a download that the agent has left alone, such as where it
// could be the next one of several credentials: who rotates one says which.
type candidate struct {
	path  string
	id    string
	at    time.Time
	token ipc.Secret
}

// candidates are those downloads that have one token, for servers of the credential.
func candidates(watched []ipc.Watch, cred ipc.Credential) (all []candidate) {
	for _, w := range watched {
		if w.Kind != ipc.WatchDownload || w.State != ipc.WatchFound {
			continue
		}
		f, err := kubeconfig.Read(w.Path)
		if err != nil || len(f.Users) != 1 || !agent.IsAPIToken(f.Users[0].Token) || !leads(&f.Users[0], cred) {
			continue
		}
		id, _ := kubeconfig.Download(w.Path)
		all = append(all, candidate{w.Path, id, f.Info.ModTime(), f.Users[0].Token})
	}
	return all
}

// leads reports whether all servers of a user are among those of the credential.
func leads(u *kubeconfig.User, cred ipc.Credential) bool {
	return len(u.Servers) > 0 && !slices.ContainsFunc(u.Servers, func(s ipc.Server) bool {
		c, err := agent.Canonical(s)
		return err != nil || !slices.Contains(cred.Servers, c)
	})
}

// chosen asks which of the downloads that lie there is meant, if any.
func (r *rotation) chosen(ctx context.Context, a ipc.Agent, cred ipc.Credential) (*candidate, error) {
	s, err := a.Status(ctx, ipc.StatusRequest{})
	if err != nil {
		return nil, err
	}
	for _, o := range candidates(s.Watched, cred) {
		r.passed = append(r.passed, o.path)
		yes, err := r.ask(ctx, fmt.Sprintf("%s of %s has a token for its servers. Take that one?", printable(o.path), o.at.Local().Format("2006-01-02 15:04")))
		if err != nil || yes {
			return &o, err
		}
	}
	return nil, nil
}

// arrived is a download that has come since and could be the next one, or nil.
func (r *rotation) arrived(ctx context.Context, a ipc.Agent, s ipc.Status) *candidate {
	for _, o := range candidates(s.Watched, s.Credentials[0]) {
		if slices.Contains(r.passed, o.path) {
			continue
		}
		trial := ipc.AddRequest{Name: r.name, Expiry: ipc.ExpiryUnknown, Replace: true, DryRun: true, AllowIdentityChange: r.anyOwner}
		o.into(&trial, r.now())
		if _, err := a.Add(ctx, trial); err == nil {
			return &o
		}
		r.passed = append(r.passed, o.path) // somebody else's, perhaps
	}
	return nil
}

// into makes add the request for the token of an candidate.
func (o *candidate) into(add *ipc.AddRequest, now time.Time) {
	at := kubeconfig.DownloadedAt(o.at, now)
	add.Secret, add.ID, add.Created = o.token, o.id, &at
}
