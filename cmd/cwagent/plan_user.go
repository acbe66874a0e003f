package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/ipc"
)

// A skip is a user that is left alone, and why.
type skip struct {
	File   string `json:"file"`
	User   string `json:"user"`
	Kind   string `json:"kind"` // token, tokenFile, exec, auth-provider, client certificate, password
	Why    string `json:"why"`
	Config string `json:"config,omitempty"` // what config.yaml could say instead
}

// leaveAlone says that a user with a token is not imported, and why.
func (p *planner) leaveAlone(f *kubeconfig.File, u kubeconfig.User) *skip {
	asked := slices.Contains(p.flags.users, u.Name)
	s := &skip{File: f.Path, User: kubeconfig.HideTokens(u.Name), Kind: "token"}
	switch {
	case len(p.flags.users) > 0 && !asked:
		s.Why = "not asked for with --user"
	case !asked && !p.flags.all && !agent.IsAPIToken(u.Token):
		s.Why = "not a CoreWeave API Access Token (--user NAME or --all imports it)"
	case !asked && u.Beside != "":
		s.Why = fmt.Sprintf("line %d: it has %s beside its token, and %s: remove the one that you do not want, then import again", u.Line, u.Beside, u.WithBoth())
		if p.blocked == nil {
			p.blocked = fail("remove the one that you do not want, then import again",
				"%s: line %d: user %q has %s beside its token (%s)", f.Path, u.Line, kubeconfig.HideTokens(u.Name), u.Beside, u.WithBoth())
		}
	default:
		return nil
	}
	return s
}

// addUser plans one user; the agent judges the request without acting on it.
func (p *planner) addUser(ctx context.Context, pl *plan, index int) (*item, error) {
	u := pl.file.Users[index]
	r, fromFile, err := p.requestFor(ctx, pl, u)
	if err != nil {
		return nil, err
	}
	if u.Ours != "" {
		err = p.succeed(ctx, &r, u.Ours)
	} else {
		err = p.chooseName(ctx, &r, fromFile, u)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: user %q: %w", pl.File, kubeconfig.HideTokens(u.Name), err)
	}
	p.settle(r.Name, u.Token.Reveal())
	it := &item{
		User: u.Name, Credential: r.Name, ID: r.ID, Line: u.Line, Contexts: u.Contexts, Servers: u.Servers,
		Expiry: r.Expiry, Expires: r.Expires, Replaces: r.Replace, Exec: []string{p.plugin, r.Name},
		change: kubeconfig.Change{User: index, Exec: kubeconfig.Exec{Command: p.plugin, Credential: r.Name}},
	}
	for i, s := range it.Servers {
		it.Servers[i], _ = agent.Canonical(s) // the agent has judged them
	}
	if u.Name == "token" && len(u.Contexts) > 0 && u.Ours == "" {
		it.NewUser = kubeconfig.UserName(r.Name, func(name string) bool { return p.takenUser(pl.file, name, r.Name) })
		it.change.NewName = it.NewUser
	}
	r.DryRun, r.NoVerify = false, p.flags.noVerify
	it.handover = pl.handOver(r)
	return it, nil
}

// succeed names the credential whose exec block stands beside the token: somebody
// has put a token into a user of ours, and it is meant for that one.
func (p *planner) succeed(ctx context.Context, r *ipc.AddRequest, ours string) error {
	if p.flags.name != "" && p.flags.name != ours {
		return fail("leave --name out", "--name %s: its exec block names credential %s", p.flags.name, ours)
	}
	r.Name = ours
	_, err := p.agent.Add(ctx, *r)
	var e *ipc.Error
	if errors.As(err, &e) && e.Code == ipc.CodeExists {
		r.Replace = true
		_, err = p.agent.Add(ctx, *r)
	}
	return err
}

// requestFor is what the agent is asked to take, but for its name; fromFile is
// what the file's own name would give it.
func (p *planner) requestFor(ctx context.Context, pl *plan, u kubeconfig.User) (r ipc.AddRequest, fromFile string, err error) {
	id, fromFile := kubeconfig.Download(pl.File)
	r = ipc.AddRequest{
		Secret: u.Token, ID: id, Servers: u.Servers, CAs: u.CAs, DryRun: true, NoVerify: true,
		Ephemeral: p.flags.ephemeral, AllowPlaintext: p.flags.plaintext,
	}
	created := p.now()
	if id != "" {
		created = kubeconfig.DownloadedAt(pl.file.Info.ModTime(), created)
		r.Created = &created
	}
	life, said := p.flags.life, p.lives[u.Token.Reveal()]
	if life.expires == "" {
		life.expires = said
	}
	if life.expires == "" && terminal(p.in) && !p.flags.yes && !p.flags.dryRun {
		if life.expires, err = p.askExpiry(ctx, printable(pl.File)+", the token of user "+printable(kubeconfig.HideTokens(u.Name)), created); err != nil {
			return r, "", err
		}
		p.lives[u.Token.Reveal()] = life.expires
	}
	return r, fromFile, life.apply(&r, created, p.now())
}
