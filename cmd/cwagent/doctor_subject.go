package main

import (
	"context"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/cwagent/cwagent/agent/config"
	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/agent/rewritten"
	"github.com/cwagent/cwagent/ipc"
)

// statusTime is how long the agent may take for its status, which is more than it waits
// for another one to end (beginWait): verifying tokens comes
// after that.
const statusTime = 1800 * time.Millisecond

// A subject is what several checks look at, each thing once and when the first one
// asks.
type subject struct {
	*cli
	status      func() (ipc.Status, error)
	verdicts    func() ([]verdict, error) // of the credentials that have a token
	config      func() (config.Config, error)
	kubeconfigs func() kubeconfigs
	records     func() ([]rewritten.File, error)
}

// newSubject returns one for an examination that ends with ctx.
func (c *cli) newSubject(ctx context.Context) *subject {
	p := &subject{cli: c}
	p.status = sync.OnceValues(func() (ipc.Status, error) {
		ctx, cancel := context.WithTimeout(ctx, statusTime)
		defer cancel()
		return c.status(ctx, "")
	})
	p.verdicts = sync.OnceValues(func() ([]verdict, error) { return p.verify(ctx) })
	p.config = sync.OnceValues(func() (config.Config, error) {
		path, err := config.Path(c.getenv)
		if err != nil {
			return config.Config{}, err
		}
		return config.Load(path)
	})
	p.records = sync.OnceValues(func() ([]rewritten.File, error) {
		folder, err := c.rewrittenFiles()
		if err != nil {
			return nil, err
		}
		return folder.Load()
	})
	p.kubeconfigs = sync.OnceValue(p.readKubeconfigs)
	return p
}

// kubeconfigs are those that kubectl uses, that import has rewritten, and that the
// config names.
type kubeconfigs struct {
	files  []*kubeconfig.File
	merged []*kubeconfig.File // those of KUBECONFIG, which kubectl takes for one
	unread []error
}

func (p *subject) readKubeconfigs() (k kubeconfigs) {
	add := func(path string) *kubeconfig.File {
		if i := slices.IndexFunc(k.files, func(f *kubeconfig.File) bool { return sameFile(f.Path, path) }); i >= 0 {
			return k.files[i]
		}
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Size() == 0 || os.IsNotExist(err) {
			return nil // kubectl takes them for one without anything
		}
		f, err := kubeconfig.Read(path)
		if err != nil {
			k.unread = append(k.unread, err)
			return nil
		}
		k.files = append(k.files, f)
		return f
	}
	for _, path := range p.cli.kubeconfigs(nil) {
		if f := add(path); f != nil {
			k.merged = append(k.merged, f)
		}
	}
	if records, err := p.records(); err == nil {
		for _, r := range records {
			if r.Imported() {
				add(r.Path)
			}
		}
	}
	if cfg, err := p.config(); err == nil {
		for _, path := range cfg.Watch.Kubeconfigs {
			add(path)
		}
	}
	if err := kubeconfig.Resolve(k.merged); err != nil {
		k.unread = append(k.unread, err)
	}
	return k
}

// with are the files that kubectl merges with f: itself at least.
func (k kubeconfigs) with(f *kubeconfig.File) []*kubeconfig.File {
	if slices.Contains(k.merged, f) {
		return k.merged
	}
	return []*kubeconfig.File{f}
}

// calls are the exec blocks of ours in all of them.
func (k kubeconfigs) calls() (all []callAt) {
	for _, f := range k.files {
		for _, c := range f.Calls() {
			all = append(all, callAt{c, f})
		}
	}
	return all
}

// A callAt is an exec block of ours and the file that it stands in.
type callAt struct {
	kubeconfig.Call
	file *kubeconfig.File
}

// noAgent says why the agent could not be asked.
func noAgent(err error) finding {
	if hasCode(err, ipc.CodeUnreachable) {
		return unchecked("no agent runs that could be asked")
	}
	return unchecked("the agent does not say: %v", err)
}
