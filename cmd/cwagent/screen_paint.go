package main

import (
	"strings"

	"github.com/mattn/go-runewidth"

	"github.com/cwagent/cwagent/ipc"
)

// runes tells how many cells text takes. It is one of ours, because the library's own
// looks at the environment.
var runes = &runewidth.Condition{}

// A brush colours text; nil leaves it alone.
type brush func(string) string

// brushes are for what is bad, what may become so, what is well, and for what only
// orders the rest.
type brushes struct{ bad, fair, good, faint, strong brush }

// The basic colours of ECMA-48, which each terminal has in its own scheme.
var colors = brushes{bad: sgr("31"), fair: sgr("33"), good: sgr("32"), faint: sgr("2"), strong: sgr("1")}

func paint(color bool) brushes {
	if !color {
		return brushes{}
	}
	return colors
}

func sgr(code string) brush {
	return func(s string) string { return "\x1b[" + code + "m" + s + "\x1b[0m" }
}

func (b brush) on(s string) string {
	if b == nil || s == "" {
		return s
	}
	return b(s)
}

// of is the brush for a state.
func (b brushes) of(s ipc.State) brush {
	switch s {
	case ipc.StateValid:
		return b.good
	case ipc.StateDue:
		return b.fair
	}
	return b.bad
}

// barCells is how wide the bar of a lifetime is.
const barCells = 10

// bar shows how much of the life of a token is left; nothing where that is not known.
func (v view) bar(c ipc.Credential) string {
	born := c.Added
	if c.Created != nil {
		born = *c.Created
	}
	if c.Expiry != ipc.ExpiryKnown || c.Expires == nil || !c.Expires.After(born) {
		return ""
	}
	left := float64(c.Expires.Sub(v.now)) / float64(c.Expires.Sub(born))
	full := int(min(max(left, 0), 1)*barCells + 0.5)
	if full == 0 && left > 0 {
		full = 1 // it is not over yet
	}
	on, off := "#", "-"
	if v.utf8 {
		on, off = "█", "░"
	}
	return strings.Repeat(on, full) + strings.Repeat(off, barCells-full)
}

func (v view) ellipsis() string {
	if v.utf8 {
		return "…"
	}
	return "..."
}

// cut shortens a line that has no colour to the width of the terminal.
func (v view) cut(line string) string {
	if v.width == 0 {
		return line
	}
	return v.cutTo(line, v.width)
}

func (v view) cutTo(s string, width int) string {
	tail := v.ellipsis()
	if width < 2*len(tail) {
		tail = ""
	}
	return runes.Truncate(s, width, tail)
}
