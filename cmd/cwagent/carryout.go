package main

import (
	"cmp"
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

// carryOut does what the plans say. Every token was vouched for, and up to here the
// person may interrupt. From now on it goes through, because a file and the agent
// must end up agreeing.
func (p *planner) carryOut(ctx context.Context) error {
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
	pl.done()
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

// done notes what came of it, for programs.
func (pl *plan) done() {
	pl.Done = true
	for _, it := range pl.Items {
		if it.handover != nil {
			it.Verified, it.Saved = it.handover.added.Verified, it.handover.added.Saved
		}
	}
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
	for _, name := range pl.formers() { // to whom nothing is handed over: they may be gone
		if _, err := p.agent.Status(ctx, ipc.StatusRequest{Name: name}); err != nil {
			return err
		}
	}
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
	labels := map[string]string{} // by the user's name
	for _, it := range pl.Items {
		name := cmp.Or(it.NewUser, it.User)
		if labels[name] = it.label; it.handover != nil {
			labels[name] = it.handover.added.Label
		}
	}
	for i := range undo {
		undo[i].Label = labels[undo[i].User]
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
		user, there := at[holding{it.User, it.token.Reveal()}]
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

// finish says what was done.
func (p *planner) finish(plans []*plan) {
	if len(plans) == 0 {
		return
	}
	if p.flags.output == "text" {
		for _, pl := range plans {
			fmt.Fprintf(p.out, "%s: rewritten\n", printable(pl.File))
			for _, cred := range added(pl.tokens) {
				fmt.Fprintf(p.out, "  %s: %s\n", cred.Name, vouchedWords(cred))
			}
			for _, name := range pl.formers() {
				fmt.Fprintf(p.out, "  %s: it keeps the token that it has\n", name)
			}
			for _, re := range p.renames {
				if re.Of == pl.File {
					fmt.Fprintf(p.out, "%s: rewritten\n", printable(re.File))
				}
			}
		}
	}
	p.noteRest(plans)
}

// noteRest says what remains for the person.
func (p *planner) noteRest(plans []*plan) {
	var files []string
	var tokens []*handover
	for _, pl := range plans {
		files = append(files, pl.File)
		tokens = append(tokens, pl.tokens...)
		fmt.Fprintf(p.err, "note: the token in %s has lain on disk in clear since %s at the latest\n",
			printable(pl.File), pl.file.Info.ModTime().Local().Format(time.DateOnly))
	}
	added := added(tokens)
	if len(added) > 0 {
		name := "NAME"
		if len(added) == 1 {
			name = added[0].Name
		}
		fmt.Fprintf(p.err, `note: copies may exist: make a new token at %s,
      hand it over with "cwagent rotate %s", and delete the old one there
`, consolePage, name)
	}
	if p.merge != nil && len(p.merge.Contexts) > 0 {
		files = append(files, p.merge.Target)
	}
	p.noteUndo(files)
	for _, cred := range added {
		if cred.Expiry == ipc.ExpiryUnknown {
			fmt.Fprintf(p.err, "note: when %s ends is not known, so nothing can warn of it: cwagent add %s --same --expires DATE says it\n", cred.Name, cred.Name)
		}
	}
	if p.flags.ephemeral && len(added) > 0 {
		fmt.Fprintln(p.err, "note: they are now in the agent's memory only, and gone when the agent ends")
	}
}

func (p *planner) noteUndo(files []string) {
	fmt.Fprintf(p.err, "note: all of it can be undone: cwagent restore %s\n", quotedWords(files))
}
