package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/ipc"
)

// vouch has each token vouched for, before a person is asked anything about it: a
// dead one is not worth a question.
func (p *planner) vouch(ctx context.Context) error {
	for _, pl := range p.plans {
		for _, batch := range pl.batches() {
			if _, err := p.hand(ctx, batch, true); err != nil {
				return pl.refused(batch, err)
			}
		}
	}
	return nil
}

// refused is an error about tokens of a file. One that has come back beside our own
// block is dead weight there: the command takes it out.
func (pl *plan) refused(batch []*handover, err error) error {
	var e *ipc.Error
	i := slices.IndexFunc(pl.Items, func(it *item) bool { return it.handover == batch[0] })
	if errors.As(err, &e) && e.Code == ipc.CodeRefused && i >= 0 {
		u := pl.file.Users[pl.Items[i].change.User]
		if u.Ours != "" && !strings.Contains(u.Name, ".") { // to kubectl a dot begins the next field
			command := []string{"kubectl", "--kubeconfig", pl.File, "config", "unset", "users." + u.Name + ".token"}
			return fail(quotedWords(command)+" takes it out: credential "+u.Ours+" has another one; nothing was changed", "%s: %s", pl.File, e.What)
		}
	}
	return fmt.Errorf("%s: %w", pl.File, err)
}

// asksLives reports whether a person is asked how long tokens live.
func (p *planner) asksLives() bool {
	return p.flags.life.expires == "" && terminal(p.in) && !p.flags.yes && !p.flags.dryRun
}

// askLives asks how long each token lives of which nobody knows that. The file may
// be younger than its token, as when kubectl has written it since: its end is then
// taken too late, so that the person is told what is counted from.
func (p *planner) askLives(ctx context.Context) error {
	for _, pl := range p.plans {
		changed := kubeconfig.DownloadedAt(pl.file.Info.ModTime(), p.now())
		for _, it := range pl.Items {
			if it.Expiry != ipc.ExpiryUnknown || it.handover == nil {
				continue
			}
			key, life := it.token.Reveal(), p.flags.life
			if p.lives[key] == "" {
				which := printable(pl.File) + ", the token of user " + printable(kubeconfig.HideTokens(it.User))
				answer, err := p.askExpiry(ctx, which, "The file was last changed %s: if it was made then", changed)
				if err != nil {
					return err
				}
				p.lives[key] = answer
			}
			life.expires = p.lives[key]
			r := &it.handover.request
			if err := life.apply(r, changed, p.now()); err != nil {
				return fmt.Errorf("%s: user %q: %w", pl.File, kubeconfig.HideTokens(it.User), err)
			}
			it.Expiry, it.Expires = r.Expiry, r.Expires
		}
	}
	return nil
}

// formers are the credentials that had a token of the file before, each once.
func (pl *plan) formers() []string {
	var out []string
	for _, it := range pl.Items {
		if it.Former && !slices.Contains(out, it.Credential) {
			out = append(out, it.Credential)
		}
	}
	return out
}
