package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/ipc"
)

// undo takes back what was added, the last first. A credential that has changed
// since is left: another import may have rewritten a file to it. So is one that a
// file names: its token may be nowhere else by now. A token that took the place of
// another one stays, and is told of.
func (p *planner) undo(ctx context.Context, pl *plan, done []ipc.AddReply) error {
	ctx, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	var errs []error
	for _, r := range slices.Backward(done) {
		var err error
		name := r.Credential.Name
		switch {
		case r.Outcome == ipc.OutcomeCreated:
			if file := p.named(pl, name); file != "" {
				fmt.Fprintf(p.err, "note: credential %s stays with the agent: %s may refer to it\n", name, printable(file))
				continue
			}
			err = p.agent.Forget(ctx, ipc.ForgetRequest{Name: name, IfRevision: r.Credential.Revision})
		case r.Outcome == ipc.OutcomeReplaced: // the one before may be dead
			fmt.Fprintf(p.err, "note: credential %s has the token of %s by now, which still lies there, too: import it again when nothing is in the way\n", name, printable(pl.File))
		case len(r.Bound) > 0:
			_, err = p.agent.Servers(ctx, ipc.ServersRequest{Name: name, Unbind: r.Bound})
		}
		if hasCode(err, ipc.CodeChanged, ipc.CodeNotFound) {
			err = nil
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("take back credential %q: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

// named returns a file that refers to a credential, or may: the one that was to be
// rewritten counts also where it cannot be read. It is our turn, so neither the
// agent nor another import makes one refer to it behind this look.
func (p *planner) named(pl *plan, credential string) string {
	f, err := kubeconfig.Read(pl.File)
	if _, gone := os.Stat(pl.File); err != nil && !errors.Is(gone, fs.ErrNotExist) || err == nil && slices.Contains(f.Ours, credential) {
		return pl.File
	}
	records, err := p.folder.Load()
	if err != nil {
		return pl.File
	}
	for _, r := range records {
		if f, err := kubeconfig.Read(r.Path); err == nil && slices.Contains(f.Ours, credential) {
			return r.Path
		}
	}
	return ""
}
