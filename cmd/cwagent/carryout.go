package main

import (
	"context"
	"errors"
	"fmt"
	"time"

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
		for _, it := range pl.Items {
			r := it.request
			r.DryRun = true
			if _, err := p.agent.Add(ctx, r); err != nil {
				return fmt.Errorf("%s: %w", pl.File, err)
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	for i, pl := range p.plans {
		if err := p.apply(ctx, pl); err != nil {
			p.finish(p.plans[:i])
			return err
		}
	}
	p.finish(p.plans)
	return nil
}

// apply carries out the plan of one file: first the tokens go to the agent,
// then the file is rewritten. If that fails, what this file brought the agent is
// taken back, unless somebody has built on it meanwhile.
func (p *planner) apply(ctx context.Context, pl *plan) (err error) {
	var done []ipc.AddReply
	defer func() {
		if err != nil {
			err = errors.Join(err, p.undo(ctx, done))
		}
	}()
	text, err := pl.file.Edit(pl.changes())
	if err != nil {
		return err
	}
	for _, it := range pl.Items {
		reply, err := p.add(ctx, it.request)
		if err != nil {
			return err
		}
		it.added = reply.Credential
		done = append(done, reply)
	}
	return pl.file.Write(text)
}

func (p *planner) add(ctx context.Context, r ipc.AddRequest) (ipc.AddReply, error) {
	ctx, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	return p.agent.Add(ctx, r)
}

// undo takes back what was added, the last first. A credential that has changed
// since is left: another import may have rewritten a file to it.
func (p *planner) undo(ctx context.Context, done []ipc.AddReply) error {
	ctx, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	var errs []error
	for i := len(done) - 1; i >= 0; i-- {
		var err error
		switch r := done[i]; {
		case r.Outcome == ipc.OutcomeCreated:
			err = p.agent.Forget(ctx, ipc.ForgetRequest{Name: r.Credential.Name, IfRevision: r.Credential.Revision})
		case len(r.Bound) > 0:
			_, err = p.agent.Servers(ctx, ipc.ServersRequest{Name: r.Credential.Name, Unbind: r.Bound})
		}
		var e *ipc.Error
		if errors.As(err, &e) && (e.Code == ipc.CodeChanged || e.Code == ipc.CodeNotFound) {
			err = nil
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("take back credential %q: %w", done[i].Credential.Name, err))
		}
	}
	return errors.Join(errs...)
}

// finish says what was done and what remains for the person.
func (p *planner) finish(plans []*plan) {
	if len(plans) == 0 {
		return
	}
	if p.flags.output == "text" {
		for _, pl := range plans {
			fmt.Fprintf(p.out, "%s: rewritten\n", pl.File)
			for _, it := range pl.Items {
				fmt.Fprintf(p.out, "  %s: %s\n", it.added.Name, vouchedWords(it.added))
			}
		}
	}
	for _, pl := range plans {
		fmt.Fprintf(p.err, "note: the token in %s has lain on disk in clear since %s at the latest\n",
			pl.File, pl.file.Info.ModTime().Local().Format(time.DateOnly))
	}
	fmt.Fprintf(p.err, `note: copies may exist: make a new token at %s,
      hand it over with "cwagent rotate NAME", and delete the old one there
`, consolePage)
	for _, pl := range plans {
		for _, it := range pl.Items {
			if it.added.Expiry == ipc.ExpiryUnknown {
				fmt.Fprintf(p.err, "note: when %s ends is not known, so nothing can warn of it: cwagent add %s --expires DATE,\n      with the same token, says it later\n", it.added.Name, it.added.Name)
			}
		}
	}
	if p.flags.ephemeral {
		fmt.Fprintln(p.err, "note: they are now in the agent's memory only, and gone when the agent ends")
	}
}
