package audit

import (
	"slices"
	"strings"
	"time"

	"github.com/cwagent/cwagent/agent/lazyregexp"
	"github.com/cwagent/cwagent/ipc/peer"
)

const (
	deepest = 8                // programs in a chain
	known   = 512              // callers that are remembered
	fresh   = 10 * time.Second // how long one is believed to run the program that it was seen to run
)

// A caller is a process, and above it those that have started it. The zero value is
// one that had ended before anybody looked.
type caller struct {
	chain    []string // names of programs, its own first
	words    string   // the same, in one
	exe, dir string
	looked   time.Time
}

// callers are those who were looked at lately: to read /proc costs more than a fetch
// does, and whoever asks a thousand times a second is looked at once.
type callers struct {
	known map[peer.Process]*caller
	look  func(peer.Process) (peer.Program, error)
}

// tokens are what a path may be called by accident, and is not to be written down.
var tokens = lazyregexp.New(`(?i)CW-SECRET-[^/\s]*|eyJ[\w-]{5,}[^/\s]*`)

func hide(path string) string { return tokens().ReplaceAllString(path, "...") }

// of returns the caller p. One that has ended is what it was when it was seen last.
func (c *callers) of(p peer.Process) *caller { return c.above(p, deepest) }

func (c *callers) above(p peer.Process, depth int) *caller {
	if p.PID <= 1 || p.Start == 0 || depth == 0 {
		return &caller{} // init has started nobody who matters
	}
	is := c.known[p]
	if is != nil && time.Since(is.looked) < fresh {
		return is
	}
	prog, err := c.look(p)
	if err != nil && is != nil {
		return is
	}
	if err != nil {
		return &caller{}
	}
	return c.keep(p, prog, depth)
}

// keep remembers what p runs, and looks at those above it.
func (c *callers) keep(p peer.Process, prog peer.Program, depth int) *caller {
	is := &caller{exe: hide(prog.Exe), dir: hide(prog.Dir), looked: time.Now()}
	above := c.above(prog.Parent, depth-1).chain
	if len(above) > 0 && above[0] == prog.Name {
		above = above[1:] // a shell and its subshell
	}
	is.chain = slices.Concat([]string{prog.Name}, above)
	is.chain = is.chain[:min(len(is.chain), deepest)]
	is.words = strings.Join(is.chain, " <- ")
	if len(c.known) >= known {
		clear(c.known) // they are looked at anew
	}
	c.known[p] = is
	return is
}
