package main

import (
	"context"
	"errors"
	"slices"

	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/agent/rewritten"
)

// apply writes one file. That its tokens are meant to be there is noted first, or
// the agent would take them out again.
func (r *restorer) apply(ctx context.Context, re *restore) error {
	f, err := kubeconfig.Read(re.File)
	if err != nil {
		return err
	}
	if re.Renamed != nil {
		err := f.Rewrite(func(f *kubeconfig.File) ([]byte, error) {
			text, _, err := f.RestoreReferences(*re.Renamed)
			return text, err
		})
		if err != nil {
			return err
		}
		return r.folder.Finish(re.File, nil, re.forget)
	}
	err = f.Rewrite(func(f *kubeconfig.File) ([]byte, error) {
		after, err := r.restore(ctx, f, re)
		if err != nil || len(re.Users) == 0 {
			return after, err
		}
		return after, r.folder.Begin(re.File, after, r.returned(re))
	})
	if err != nil {
		return errors.Join(err, r.folder.Finish(re.File, nil, func(*rewritten.File) {}))
	}
	if len(re.Users) == 0 { // no token was put back
		return r.folder.Finish(re.File, nil, re.forget)
	}
	now := r.now().UTC()
	return r.folder.Finish(re.File, &now, re.forget)
}

// returned are the tokens that are put back into a file.
func (r *restorer) returned(re *restore) (all []rewritten.Returned) {
	for _, u := range re.Users {
		all = append(all, rewritten.Returned{User: u.User, Label: r.tokens[u.Credential].credential.Label})
	}
	return all
}

// forget drops from the record of a file what has been restored.
func (re *restore) forget(f *rewritten.File) {
	f.Users = slices.DeleteFunc(slices.Clone(f.Users), func(u kubeconfig.Undo) bool {
		return isReference(u) == (re.Renamed != nil) && (re.Renamed == nil || u.User == re.Renamed.User)
	})
	if re.Renamed == nil {
		f.Merged = nil // what stays of it was edited: it is the person's by now
	}
}
