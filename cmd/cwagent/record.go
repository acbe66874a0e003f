package main

import (
	"os"

	"github.com/cwagent/cwagent/agent/config"
	"github.com/cwagent/cwagent/agent/rewritten"
)

// rewrittenFiles is the list of the files that import has rewritten, with what
// restore needs: no secret is in it.
func (c *cli) rewrittenFiles() (rewritten.Folder, error) {
	state, err := config.StateDir(c.getenv)
	return rewritten.Folder{Dir: state}, err
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
