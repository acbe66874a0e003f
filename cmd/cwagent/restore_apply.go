package main

import (
	"context"
	"errors"
	"slices"
	"time"

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
		if err := f.Rewrite(func(f *kubeconfig.File) ([]byte, error) {
			text, _, err := f.RestoreReferences(*re.Renamed)
			return text, err
		}); err != nil {
			return err
		}
		return r.done(re)
	}
	now := r.now().UTC()
	if err := r.mark(re.File, &now); err != nil {
		return err
	}
	err = f.Rewrite(func(f *kubeconfig.File) ([]byte, error) {
		_, after, err := r.restore(ctx, f, re)
		return after, err
	})
	if err != nil {
		return errors.Join(err, r.mark(re.File, re.record.Restored))
	}
	return r.done(re)
}

// mark notes since when a file is meant to hold tokens; nil: it is not.
func (r *restorer) mark(path string, since *time.Time) error {
	path = rewritten.Path(path)
	return r.folder.Update(func(files []rewritten.File) ([]rewritten.File, error) {
		i := rewritten.Find(files, path)
		switch {
		case i >= 0:
			files[i].Restored = since
		case since != nil:
			files = append(files, rewritten.File{Path: path, At: *since, Restored: since})
		}
		return slices.DeleteFunc(files, func(f rewritten.File) bool {
			return f.Path == path && len(f.Users) == 0 && f.Restored == nil
		}), nil
	})
}

// done drops from the record of a file what has been restored.
func (r *restorer) done(re *restore) error {
	path := rewritten.Path(re.File)
	return r.folder.Update(func(files []rewritten.File) ([]rewritten.File, error) {
		i := rewritten.Find(files, path)
		if i < 0 {
			return files, nil
		}
		left := slices.DeleteFunc(slices.Clone(files[i].Users), func(u kubeconfig.Undo) bool {
			return isReference(u) == (re.Renamed != nil) && (re.Renamed == nil || u.User == re.Renamed.User)
		})
		if files[i].Users = left; len(left) == 0 && files[i].Restored == nil {
			files = rewritten.Without(files, path)
		}
		return files, nil
	})
}
