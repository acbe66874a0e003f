package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/config"
	"github.com/cwagent/cwagent/agent/kubeconfig"
)

// An offer is a download of the Console that lies there with its token.
type offer struct {
	File    string   `json:"file"`
	Command []string `json:"command"`
}

// offers are the downloads with a token in them, in the folders that the config
// names. A folder that cannot be read has none: nobody named it.
func (c *cli) offers() []offer {
	var out []offer
	for _, dir := range c.downloads() {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			if id, _ := kubeconfig.Download(path); id == "" || !e.Type().IsRegular() {
				continue
			}
			f, err := kubeconfig.Read(path)
			if err == nil && slices.ContainsFunc(f.Users, func(u kubeconfig.User) bool { return agent.IsAPIToken(u.Token) }) {
				out = append(out, offer{path, []string{"cwagent", "import", path}})
			}
		}
	}
	return out
}

// downloads are the folders that browsers write to. A broken config is said by
// the agent, and is no reason to import nothing.
func (c *cli) downloads() []string {
	usual := []string{filepath.Join(c.getenv("HOME"), "Downloads")}
	path, err := config.Path(c.getenv)
	if err != nil {
		return usual
	}
	cfg, err := config.Load(path)
	if err != nil {
		return usual
	}
	return cfg.Watch.Downloads
}

// choose returns the files to import. Where none is named, a person is asked
// whether downloads are meant as well.
func (p *planner) choose(ctx context.Context, named []string) ([]string, error) {
	if len(named) > 0 {
		return named, nil
	}
	var paths []string
	if !p.flags.merge {
		paths = p.kubeconfigs(nil)
	}
	p.offered = slices.DeleteFunc(p.offers(), func(o offer) bool {
		return slices.ContainsFunc(paths, func(path string) bool { return sameFile(path, o.File) })
	})
	if len(p.offered) == 0 && p.flags.merge {
		return nil, fail("cwagent import --merge FILE", "--merge: there is no download with a token in it")
	}
	if len(p.offered) == 0 {
		return paths, nil
	}
	if terminal(p.in) && !p.flags.yes && !p.flags.dryRun {
		fmt.Fprintln(p.err, "These downloads hold tokens:")
		for _, o := range p.offered {
			fmt.Fprintf(p.err, "  %s\n", printable(o.File))
		}
		yes, err := p.ask(ctx, "Import them as well?")
		if err != nil {
			return nil, err
		}
		if yes {
			for _, o := range p.offered {
				paths = append(paths, o.File)
			}
		} else if p.flags.merge {
			return nil, p.nameFile()
		}
		p.offered = nil // the answer is known
	} else if p.flags.merge {
		return nil, p.nameFile()
	}
	// With downloads in sight, a machine without ~/.kube/config is no mistake.
	return slices.DeleteFunc(paths, func(path string) bool {
		_, err := os.Stat(path)
		return os.IsNotExist(err)
	}), nil
}

func (p *planner) nameFile() error {
	return fail(quotedWords(append([]string{"cwagent", "import", "--merge"}, p.offered[0].File)), "--merge: name the file")
}
