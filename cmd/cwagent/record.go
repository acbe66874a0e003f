package main

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/cwagent/cwagent/agent/config"
	"github.com/cwagent/cwagent/agent/rewritten"
)

// rewrittenFiles is the list of the files that import has rewritten, with what
// restore needs: no secret is in it.
func (c *cli) rewrittenFiles() (rewritten.Folder, error) {
	state, err := config.StateDir(c.getenv)
	return rewritten.Folder{Dir: state}, err
}

// chosenPlugin is the plugin that the last import wrote, which a person may have
// insisted on, as long as it is there; else the one that import would take.
func (c *cli) chosenPlugin(folder rewritten.Folder) (string, error) {
	files, err := folder.Load()
	if err != nil {
		return "", err
	}
	slices.SortFunc(files, func(a, b rewritten.File) int { return b.At.Compare(a.At) })
	for _, f := range files {
		for _, u := range f.Users {
			if p := u.Command(); filepath.IsAbs(p) && executable(p) {
				return p, nil
			}
		}
	}
	return c.pluginPath("")
}

// installedPlugin is the plugin that import would write, else the one that it has written
// before: a person may have insisted on it.
func (c *cli) installedPlugin() (string, error) {
	path, err := c.pluginPath("")
	if err == nil {
		return path, nil
	}
	if folder, err := c.rewrittenFiles(); err == nil {
		if path, err := c.chosenPlugin(folder); err == nil {
			return path, nil
		}
	}
	return "", err
}

// sameFile reports whether two paths lead to one file.
func sameFile(a, b string) bool {
	if a == b {
		return true
	}
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}
