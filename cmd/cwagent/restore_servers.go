package main

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/ipc"
)

// Anybody can write a kubeconfig that has our exec block and a server of his own,
// and have a person restore it. The plugin gets no token for such a server; nor
// does the file.

// servers returns where kubectl would send the tokens of our users of f, by user,
// and refuses what their credentials are not bound to.
func (r *restorer) servers(ctx context.Context, f *kubeconfig.File) (map[string][]ipc.Server, error) {
	out := map[string][]ipc.Server{}
	files := r.among(f)
	for _, o := range f.Others {
		if o.Kind != kubeconfig.KindOurs {
			continue
		}
		h, err := r.token(ctx, o.Detail)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Path, err)
		}
		raw, err := f.ServersOf(o.Name, files)
		if err != nil {
			return nil, err
		}
		out[o.Name] = []ipc.Server{}
		for _, s := range raw {
			if s, err = agent.Canonical(s); err != nil {
				return nil, fmt.Errorf("%s: %w", f.Path, err)
			}
			if !slices.Contains(h.credential.Servers, s) {
				return nil, fail("if you trust that server: "+agent.ServersLine(h.credential.Name, s),
					"%s: user %q leads to %s, and credential %q is not bound to it", f.Path, o.Name, serverWords(s), h.credential.Name)
			}
			out[o.Name] = append(out[o.Name], s)
		}
	}
	return out, nil
}

// among returns the files of the run, with f in the place of what it was, and those
// that import knows to name users of others.
func (r *restorer) among(f *kubeconfig.File) []*kubeconfig.File {
	files := slices.Clone(r.read)
	if i := slices.IndexFunc(files, func(g *kubeconfig.File) bool { return g.Path == f.Path }); i >= 0 {
		files[i] = f
	}
	for _, rec := range r.records {
		if !slices.ContainsFunc(rec.Users, isReference) {
			continue
		}
		// One that cannot be read leads nowhere.
		g, err := kubeconfig.Read(rec.Path)
		if err == nil && !slices.ContainsFunc(files, func(h *kubeconfig.File) bool { return os.SameFile(g.Info, h.Info) }) {
			files = append(files, g)
		}
	}
	return files
}

// strange reports whether the file has a user of which nobody knows that import
// took its token out. One that was put back and is there again may be what kubectl
// had read before: that is known of the file.
func (re *restore) strange() bool {
	return re.record.Restored == nil && slices.ContainsFunc(re.Users, func(u restoredUser) bool { return !u.Known })
}

// agreed asks the person, who has seen what is going to be done. With --all a file
// about which nobody can be asked keeps no other from being restored.
func (r *restorer) agreed(ctx context.Context) (bool, error) {
	sure, left := r.flags.yes, false
	var files []*restore
	for _, re := range r.files {
		if re.Renamed != nil && left {
			continue // the user that its contexts name keeps its name
		}
		switch left = false; {
		case !re.strange():
		case terminal(r.in):
			fmt.Fprintf(r.err, "note: %s: import is not known to have written all of its users\n", printable(re.File))
			sure = false
		default:
			err := fail("look at the file; then, at a terminal: "+quotedWords([]string{"cwagent", "restore", re.File}),
				"%s: import is not known to have written all of its users, and --yes does not answer for the others", re.File)
			if err := r.skip(err); err != nil {
				return false, err
			}
			left = true
			continue
		}
		files = append(files, re)
	}
	r.files = files
	if sure || len(files) == 0 {
		return true, nil
	}
	return r.ask(ctx, "Restore these files?")
}
