package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/ipc"
)

// settling is how long one change at the agent may take once the import can no
// longer be interrupted.
const settling = 20 * time.Second

// carryOut does what the plans say. First every token is vouched for, and
// nothing is changed if one is not; up to there the person may interrupt. From
// then on it goes through, because a file and the agent must end up agreeing.
func (p *planner) carryOut(ctx context.Context) error {
	for _, pl := range p.plans {
		for _, batch := range pl.batches() {
			if _, err := p.hand(ctx, batch, true); err != nil {
				return fmt.Errorf("%s: %w", pl.File, err)
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	done, err := p.folder.Turn()
	if err != nil {
		return err
	}
	defer done()
	for i, pl := range p.plans {
		if err := p.applyAndFollow(ctx, pl); err != nil {
			p.finish(p.plans[:i])
			return err
		}
	}
	p.finish(p.plans)
	return nil
}

// applyAndFollow carries out the plan of one file, and renames what refers to its
// users elsewhere.
func (p *planner) applyAndFollow(ctx context.Context, pl *plan) error {
	if err := p.apply(ctx, pl); err != nil {
		return err
	}
	for _, re := range p.renames {
		if re.Of != pl.File {
			continue
		}
		if err := p.follow(re); err != nil {
			return err
		}
	}
	return nil
}

// apply carries out the plan of one file: first the tokens go to the agent, then
// what restore needs is noted, then the file is rewritten. If that fails, what
// this file brought is taken back, unless somebody has built on it meanwhile.
func (p *planner) apply(ctx context.Context, pl *plan) (err error) {
	var done []ipc.AddReply
	takeBack := func() error { return nil }
	defer func() {
		if err != nil {
			err = errors.Join(err, takeBack(), p.undo(ctx, pl, done))
		}
	}()
	for _, batch := range pl.batches() {
		replies, err := p.settled(ctx, batch)
		if err != nil {
			return err
		}
		for i, h := range batch {
			h.added = replies[i].Credential
		}
		done = addedTo(done, replies)
	}
	return pl.file.Rewrite(func(f *kubeconfig.File) ([]byte, error) {
		changes, err := pl.changesIn(f)
		if err != nil {
			return nil, err
		}
		text, undo, err := f.Edit(changes)
		if err != nil {
			return nil, err
		}
		pl.label(undo)
		if err := takeBack(); err != nil { // of an attempt before this one
			return nil, err
		}
		takeBack, err = p.folder.Note(f, text, p.now(), undo)
		return text, err
	})
}

// label says in undo data which token stood there.
func (pl *plan) label(undo []kubeconfig.Undo) {
	labels := map[string]string{}
	for _, h := range pl.tokens {
		labels[h.added.Name] = h.added.Label
	}
	for i := range undo {
		undo[i].Label = labels[undo[i].Credential]
	}
}

// changesIn are the changes of a plan for the file as it is now: kubectl may have
// written it since, and that is not a reason to ask the person again.
func (pl *plan) changesIn(f *kubeconfig.File) ([]kubeconfig.Change, error) {
	if f == pl.file {
		return pl.changes(), nil
	}
	at := make(map[holding]int, len(f.Users)) // by the user's name
	for i, u := range f.Users {
		at[holding{u.Name, u.Token.Reveal()}] = i
	}
	changes := pl.changes()
	for i, it := range pl.Items {
		user, there := at[holding{it.User, it.handover.request.Secret.Reveal()}]
		changes[i].User = user
		if !there || it.NewUser != "" && slices.Contains(f.Names, it.NewUser) {
			return nil, fail("nothing was written: run the command again", "%s: it has changed while it was being imported", pl.File)
		}
	}
	return changes, nil
}

// settled hands tokens over for good.
func (p *planner) settled(ctx context.Context, batch []*handover) ([]ipc.AddReply, error) {
	ctx, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	return p.hand(ctx, batch, false)
}

// finish says what was done and what remains for the person.
func (p *planner) finish(plans []*plan) {
	if len(plans) == 0 {
		return
	}
	if p.flags.output == "text" {
		for _, pl := range plans {
			fmt.Fprintf(p.out, "%s: rewritten\n", printable(pl.File))
			for _, cred := range pl.added() {
				fmt.Fprintf(p.out, "  %s: %s\n", cred.Name, vouchedWords(cred))
			}
			for _, re := range p.renames {
				if re.Of == pl.File {
					fmt.Fprintf(p.out, "%s: rewritten\n", printable(re.File))
				}
			}
		}
	}
	var files []string
	for _, pl := range plans {
		files = append(files, pl.File)
		fmt.Fprintf(p.err, "note: the token in %s has lain on disk in clear since %s at the latest\n",
			printable(pl.File), pl.file.Info.ModTime().Local().Format(time.DateOnly))
	}
	fmt.Fprintf(p.err, `note: copies may exist: make a new token at %s,
      hand it over with "cwagent rotate NAME", and delete the old one there
`, consolePage)
	if p.merge != nil && len(p.merge.Contexts) > 0 {
		files = append(files, p.merge.Target)
	}
	p.noteUndo(files)
	for _, pl := range plans {
		for _, cred := range pl.added() {
			if cred.Expiry == ipc.ExpiryUnknown {
				fmt.Fprintf(p.err, "note: when %s ends is not known, so nothing can warn of it: cwagent add %s --expires DATE,\n      with the same token, says it later\n", cred.Name, cred.Name)
			}
		}
	}
	if p.flags.ephemeral {
		fmt.Fprintln(p.err, "note: they are now in the agent's memory only, and gone when the agent ends")
	}
}

func (p *planner) noteUndo(files []string) {
	fmt.Fprintf(p.err, "note: all of it can be undone: cwagent restore %s\n", quotedWords(files))
}
