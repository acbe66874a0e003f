package main

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/agent/rewritten"
	"github.com/cwagent/cwagent/ipc"
)

// A skip is a user that is left alone, and why.
type skip struct {
	File   string `json:"file"`
	User   string `json:"user"`
	Kind   string `json:"kind"` // token, tokenFile, exec, auth-provider, client certificate, password
	Why    string `json:"why"`
	Config string `json:"config,omitempty"` // what config.yaml could say instead
	Exec   string `json:"exec,omitempty"`   // and what the kubeconfig then says in the place of its tokenFile,
	Line   int    `json:"line,omitempty"`   // which stands there
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
	r := p.requestFor(pl, u)
	reply, err := p.credentialFor(ctx, &r, pl.named, u)
	if err != nil {
		return nil, fmt.Errorf("%s: user %q: %w", pl.File, kubeconfig.HideTokens(u.Name), err)
	}
	if err := p.flags.life.apply(&r, p.created(pl), p.now()); err != nil {
		return nil, err
	}
	it := &item{
		User: u.Name, Credential: r.Name, ID: r.ID, Line: u.Line, Contexts: u.Contexts, Servers: u.Servers, Replaces: r.Replace,
		Exec: []string{p.plugin, r.Name}, token: u.Token,
		change: kubeconfig.Change{User: index, Exec: kubeconfig.Exec{Command: p.plugin, Credential: r.Name}},
	}
	for i, s := range it.Servers {
		it.Servers[i], _ = agent.Canonical(s) // the agent has judged them
	}
	if u.Name == "token" && len(u.Contexts) > 0 && u.Ours == "" {
		it.NewUser = kubeconfig.UserName(r.Name, func(name string) bool { return p.takenUser(pl.file, name, r.Name) })
		it.change.NewName = it.NewUser
	}
	if gone := reply.Former; gone != nil && gone.Credential == r.Name {
		it.Former, it.ID, it.label, it.Expiry, it.Expires = true, gone.ID, gone.Label, gone.Expiry, gone.Expires
		return it, nil
	}
	p.settle(r.Name, u.Token.Reveal())
	if reply.Outcome == ipc.OutcomeExtended {
		p.had[u.Token.Reveal()] = reply.Credential
	}
	it.end(r, p.had[u.Token.Reveal()])
	r.DryRun, r.NoVerify = false, p.flags.noVerify
	it.handover = pl.handOver(r)
	return it, nil
}

// end notes when the token ends: as the person says, else as the agent knows.
func (it *item) end(r ipc.AddRequest, had ipc.Credential) {
	it.Expiry, it.Expires = r.Expiry, r.Expires
	it.ID = cmp.Or(had.ID, it.ID)
	switch {
	case had.Name == "" || had.Expiry == ipc.ExpiryUnknown:
	case r.Expiry == ipc.ExpiryUnknown:
		it.Expiry, it.Expires = had.Expiry, had.Expires
	case had.Expires != nil && (r.Expires == nil || r.Expires.After(*had.Expires)):
		it.Knew = had.Expires
	}
}

// credentialFor names the credential that is to have the token, or has it.
func (p *planner) credentialFor(ctx context.Context, r *ipc.AddRequest, fromFile string, u kubeconfig.User) (ipc.AddReply, error) {
	if u.Ours != "" {
		return p.succeed(ctx, r, u.Ours)
	}
	return p.chooseName(ctx, r, fromFile, u)
}

// succeed names the credential whose exec block stands beside the token: somebody
// has put a token into a user of ours, and it is meant for that one.
func (p *planner) succeed(ctx context.Context, r *ipc.AddRequest, ours string) (ipc.AddReply, error) {
	if p.flags.name != "" && p.flags.name != ours {
		return ipc.AddReply{}, fail("leave --name out", "--name %s: its exec block names credential %s", p.flags.name, ours)
	}
	r.Name = ours
	reply, err := p.agent.Add(ctx, *r)
	elsewhere := err == nil && reply.Outcome == "" && (reply.Former == nil || reply.Former.Credential != ours)
	if elsewhere || hasCode(err, ipc.CodeExists) {
		r.Replace = true
		return p.agent.Add(ctx, *r)
	}
	return reply, err
}

// requestFor is what the agent is asked to take, but for its name and how long it
// lives.
func (p *planner) requestFor(pl *plan, u kubeconfig.User) ipc.AddRequest {
	r := ipc.AddRequest{
		Secret: u.Token, Expiry: ipc.ExpiryUnknown, Servers: u.Servers, CAs: u.CAs, DryRun: true, NoVerify: true,
		Ephemeral: p.flags.ephemeral, AllowPlaintext: p.flags.plaintext,
	}
	// Once a file was rewritten, its name and its age are those of the token that was
	// in it first, and the agent knows them.
	if pl.id != "" && rewritten.Find(p.notes, rewritten.Path(pl.File)) < 0 {
		created := p.created(pl)
		r.ID, r.Created = pl.id, &created
	}
	return r
}

// created is from when on a lifetime counts that is given with --expires: a download
// is as old as its token.
func (p *planner) created(pl *plan) time.Time {
	if pl.id == "" {
		return p.now()
	}
	return kubeconfig.DownloadedAt(pl.file.Info.ModTime(), p.now())
}

// downloaded is kubeconfig.Download for what a link leads to as well.
func downloaded(path string) (id, name string) {
	if id, name = kubeconfig.Download(path); id != "" {
		return id, name
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", ""
	}
	return kubeconfig.Download(real)
}
