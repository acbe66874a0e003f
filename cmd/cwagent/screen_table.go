package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cwagent/cwagent/ipc"
)

// A column of the table of credentials.
type column struct {
	head string
	cell func(v view, c ipc.Credential) string
	rank int // the order in which columns are given room, from 0
	min  int // cells that it can be cut to; 0: it is shown whole or not at all
	wide bool
	lit  bool // in the color of the state
}

// columns stand in the order in which they are read. Where there is no room for all,
// those go first that matter least.
var columns = []column{
	{head: "NAME", rank: 0, min: 12, cell: func(_ view, c ipc.Credential) string { return printable(c.Name) }},
	{head: "STATE", rank: 1, lit: true, cell: func(_ view, c ipc.Credential) string { return printable(string(c.State)) }},
	{head: "LEFT", rank: 2, lit: true, cell: func(v view, c ipc.Credential) string { return v.left(c) }},
	{head: "LIFETIME", rank: 3, lit: true, cell: func(v view, c ipc.Credential) string { return orDash(v.bar(c)) }},
	{head: "TOKEN", rank: 4, cell: func(_ view, c ipc.Credential) string { return orDash(printable(c.ID)) }},
	{head: "LABEL", wide: true, cell: func(_ view, c ipc.Credential) string { return orDash(printable(c.Label)) }},
	{head: "SAVED", rank: 8, cell: func(_ view, c ipc.Credential) string { return yesNo(c.Saved) }},
	{head: "NEXT FROM", rank: 5, min: 9, cell: func(v view, c ipc.Credential) string { return v.next(c) }},
	{head: "LAST USE", rank: 6, min: 15, cell: func(v view, c ipc.Credential) string { return v.lastUse(c.LastUse) }},
	{head: "VERIFIED", wide: true, cell: func(v view, c ipc.Credential) string { return ago(c.Verified, v.now) }},
	{head: "OWNER", wide: true, cell: func(_ view, c ipc.Credential) string { return orDash(identityWords(c.Identity)) }},
	{head: "SERVERS", rank: 7, min: 14, cell: func(v view, c ipc.Credential) string { return v.servers(c.Servers) }},
}

const gap = 2 // cells between two columns

// table is a head and a line a credential.
func (v view) table(creds []ipc.Credential) (lines []string) {
	cells := make([][]string, len(columns)) // by column, with the head
	for i, col := range columns {
		cells[i] = []string{col.head}
		for _, c := range creds {
			cells[i] = append(cells[i], col.cell(v, c))
		}
	}
	shown := v.room(cells, creds)
	p := paint(v.color)
	for row := range len(creds) + 1 {
		var line strings.Builder
		for i, col := range columns {
			if shown[i] == 0 {
				continue
			}
			if line.Len() > 0 {
				line.WriteString(strings.Repeat(" ", gap))
			}
			text := v.cutTo(cells[i][row], shown[i])
			pad := strings.Repeat(" ", shown[i]-runes.StringWidth(text))
			switch {
			case row == 0:
				text = p.faint.on(text)
			case col.lit:
				text = p.of(creds[row-1].State).on(text)
			}
			line.WriteString(text + pad)
		}
		lines = append(lines, strings.TrimRight(line.String(), " "))
	}
	return lines
}

// room is how wide each column is shown, 0 where it is not. The one that matters least
// only gets what all others have left over, who are first given what they can do with.
func (v view) room(cells [][]string, creds []ipc.Credential) []int {
	want, shown := make([]int, len(columns)), make([]int, len(columns))
	for i := range columns {
		for _, text := range cells[i] {
			want[i] = max(want[i], runes.StringWidth(text))
		}
	}
	used := func(c ipc.Credential) bool { return c.LastUse != nil }
	skip := func(col column) bool {
		return col.wide && !v.wide || col.head == "LAST USE" && !slices.ContainsFunc(creds, used)
	}
	if v.width == 0 || v.wide {
		for i, col := range columns {
			if !skip(col) {
				shown[i] = want[i]
			}
		}
		return shown
	}
	left := v.width + gap
	var order [9]int // of those with a rank
	for i, col := range columns {
		if !col.wide {
			order[col.rank] = i
		}
	}
	last := len(order) - 1
	for _, group := range [][]int{order[:last], order[last:]} {
		for _, i := range group {
			least := want[i]
			if m := columns[i].min; m > 0 {
				least = min(least, m)
			}
			if skip(columns[i]) || least+gap > left {
				continue
			}
			shown[i] = least
			left -= least + gap
		}
		for _, i := range group {
			if shown[i] > 0 {
				more := min(want[i]-shown[i], left)
				shown[i] += more
				left -= more
			}
		}
	}
	return shown
}

// left says how long the token lives, or since when it does not.
func (v view) left(c ipc.Credential) string {
	if c.Expiry == ipc.ExpiryKnown && c.Expires != nil && c.Expires.Before(v.now) {
		return ago(c.Expires, v.now)
	}
	return leftOf(c.Expiry, c.Expires, v.now)
}

// next says where the next token comes from, and when if that is known.
func (v view) next(c ipc.Credential) string {
	words := printable(c.Source)
	if n := len(c.Standby); n > 0 && c.Source == "standby" {
		return fmt.Sprintf("standby (%d)", n)
	}
	if c.Renewal != nil && c.Renewal.Next != nil {
		words += " in " + span(c.Renewal.Next.Sub(v.now))
	}
	return words
}

// lastUse says when a token was used last and, in a wide table, by which processes,
// else by which program.
func (v view) lastUse(u *ipc.Use) string {
	if u == nil {
		return "-"
	}
	words := span(v.now.Sub(u.At)) + " ago"
	by := u.Caller
	if !v.wide {
		by, _, _ = strings.Cut(by, " <- ")
	}
	if by != "" {
		words += ", " + printable(by)
	}
	return words
}

// servers are the first one and how many more. On a terminal its name has to do.
func (v view) servers(all []ipc.Server) string {
	if len(all) == 0 {
		return "none"
	}
	words := printable(all[0].URL)
	if v.width > 0 && !v.wide {
		words = strings.TrimSuffix(strings.TrimPrefix(words, "https://"), ":443")
	}
	if n := len(all) - 1; n > 0 {
		words += fmt.Sprintf(" and %d more", n)
	}
	return words
}
