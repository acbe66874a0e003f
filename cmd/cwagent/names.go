package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/ipc"
)

// chooseName settles the credential's name: the one asked for; else that of a
// credential that holds the same token; else the first free one of NAME, NAME-2...
func (p *planner) chooseName(ctx context.Context, r *ipc.AddRequest, fromFile string, u kubeconfig.User) (reply ipc.AddReply, err error) {
	base, token := p.flags.name, r.Secret.Reveal()
	if base == "" {
		if known := p.names[token]; known != "" {
			r.Name = known
			return reply, nil
		}
		base = credentialName(fromFile, u)
	}
	for n := max(1, p.next[base]); ; n++ {
		p.next[base] = n
		r.Name = base
		if n > 1 {
			r.Name = fmt.Sprintf("%s-%d", base, n)
		}
		taken, there := p.taken[r.Name]
		there = there && taken != token
		if there && p.flags.name == "" {
			continue
		}
		if there {
			return reply, fail("import them one by one, each with its --name", "--name %s: two different tokens cannot have one name", r.Name)
		}
		reply, err = p.agent.Add(ctx, *r)
		if hasCode(err, ipc.CodeExists) && p.flags.name == "" {
			continue
		}
		if err == nil {
			reply, err = p.holderOf(ctx, r, reply)
		}
		return reply, err
	}
}

// holderOf names the credential that has the token of r, or had it before, unless
// the person has named another one.
func (p *planner) holderOf(ctx context.Context, r *ipc.AddRequest, reply ipc.AddReply) (ipc.AddReply, error) {
	switch gone := reply.Former; {
	case gone != nil && (p.flags.name == "" || p.flags.name == gone.Credential):
		r.Name = gone.Credential
	case gone != nil && reply.Outcome == "":
		return reply, fail("leave --name out", "--name %s: that credential has another token, and credential %s had this one before", r.Name, gone.Credential)
	case reply.SameAs != "" && p.flags.name == "":
		r.Name = reply.SameAs
		return p.agent.Add(ctx, *r) // what is known there of the token
	}
	return reply, nil
}

// settle notes the name that a token is going to have.
func (p *planner) settle(name, token string) {
	if _, there := p.names[token]; !there {
		p.names[token] = name
	}
	if _, there := p.taken[name]; !there {
		p.taken[name] = token
	}
}

// takenUser reports whether a user name means somebody else in the files of this
// run: KUBECONFIG may list them all. One token in several files goes by one name.
func (p *planner) takenUser(f *kubeconfig.File, name, credential string) bool {
	files := p.files
	if p.into != nil {
		files = append(slices.Clone(files), p.into)
	}
	for _, g := range files {
		ours := g != f && slices.ContainsFunc(g.Others, func(o kubeconfig.Other) bool {
			return o.Name == name && o.Kind == kubeconfig.KindOurs && o.Detail == credential
		})
		if slices.Contains(g.Names, name) && !ours {
			return true
		}
	}
	return slices.ContainsFunc(p.plans, func(pl *plan) bool {
		return slices.ContainsFunc(pl.Items, func(it *item) bool {
			return it.NewUser == name && (pl.file == f || it.Credential != credential)
		})
	})
}

// credentialName makes a name that is allowed: from the file's, else from the
// first cluster's, else from the user's.
func credentialName(fromFile string, u kubeconfig.User) string {
	candidates := []string{fromFile}
	if len(u.Clusters) > 0 {
		candidates = append(candidates, u.Clusters[0])
	}
	for _, s := range append(candidates, u.Name) {
		s = strings.Map(func(r rune) rune {
			if strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", r) {
				return r
			}
			return '-'
		}, s)
		s = strings.Trim(s, ".-_")
		if s = s[:min(len(s), 50)]; s != "" {
			return s
		}
	}
	return "token"
}
