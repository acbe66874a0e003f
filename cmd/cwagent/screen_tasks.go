package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// A task is something that is to be done by a person, or, where nothing is, to be
// known: a line that begins with what it is about, and one that says how.
type task struct {
	rank  rank
	about string
	what  string
	how   string
	brush brush
}

// rank says how urgent a task is; the least is the most urgent. What is only to be
// known comes last.
type rank int

const (
	rankDead    rank = iota // nothing is given out
	rankDue                 // soon nothing is
	rankClear               // a token lies in a file
	rankRefused             // somebody asked in vain
	rankDelete              // a token lives on that nobody uses
	rankFile                // something else about a file
	rankKnow                // it is being seen to, or was
)

// tasks are what is to be done, the most urgent first, then what is to be known.
func (v view) tasks(s ipc.Status) (lines []string) {
	var all []task
	p := paint(v.color)
	creds := slices.Clone(s.Credentials)
	slices.SortStableFunc(creds, agent.ByUrgency)
	for _, c := range creds {
		all = append(all, v.troubles(c, s.Agent.Locked != nil)...)
		all = append(all, v.refusal(c)...)
		all = append(all, v.deletions(c)...)
	}
	all = append(all, v.watched(s.Watched)...)
	slices.SortStableFunc(all, func(a, b task) int { return cmp.Compare(a.rank, b.rank) })
	i := slices.IndexFunc(all, func(t task) bool { return t.rank == rankKnow })
	if i < 0 {
		i = len(all)
	}
	lines = v.list("to do, the most urgent first:", all[:i])
	lines = append(lines, v.list("to know:", all[i:])...)
	for _, text := range [][]string{v.putBack(s.Watched), v.gone(s.Watched)} {
		if len(text) > 0 {
			lines = append(append(lines, ""), p.faint.all(text)...)
		}
	}
	return lines
}

// list draws tasks below a head.
func (v view) list(head string, all []task) (lines []string) {
	if len(all) == 0 {
		return nil
	}
	lines = append(lines, "", paint(v.color).strong.on(v.cut(head)))
	for _, t := range all {
		lines = append(lines, v.wrap("", t.about+": "+t.what, t.brush)...)
		if t.how != "" {
			lines = append(lines, v.wrap("  ", t.how, nil)...)
		}
	}
	return lines
}

func (b brush) all(lines []string) (out []string) {
	for _, line := range lines {
		out = append(out, b.on(line))
	}
	return out
}

// troubles are what is wrong with a credential beside that the agent is locked.
func (v view) troubles(c ipc.Credential, locked bool) (all []task) {
	p, name := paint(v.color), printable(c.Name)
	if c.Reason != "" && !locked {
		t := task{rank: rankDead, about: name, what: printableLine(c.Reason), how: printableLine(c.Hint), brush: p.bad}
		switch c.State {
		case ipc.StateDue:
			t.rank, t.brush = rankDue, p.fair
		case ipc.StateValid:
			t.rank, t.brush = rankKnow, nil
		}
		all = append(all, t)
	}
	if r := c.Renewal; r != nil && r.Error != "" && c.State != ipc.StateDue {
		all = append(all, task{rank: rankKnow, about: name, what: fmt.Sprintf("no next token yet (%s): %s", printable(r.Class), printable(r.Error))})
	}
	switch {
	case c.Unsaved != "":
		all = append(all, task{rank: rankKnow, about: name, what: "not saved " + printable(c.Unsaved), brush: p.fair})
	case !c.Saved && (c.State == ipc.StateValid || c.State == ipc.StateDue):
		all = append(all, task{rank: rankKnow, about: name, what: "in the agent's memory only, and gone when the agent ends"})
	}
	return all
}

// recalled is how long a refusal is something to do. Who was right to refuse does nothing,
// and is not told of it for ever.
const recalled = 24 * time.Hour

// refusal is the last request that a credential was not given out for. It is not called
// refused: that is what a server does to a token.
func (v view) refusal(c ipc.Credential) []task {
	r := c.Refusal
	if r == nil || v.now.Sub(r.At) >= recalled {
		return nil
	}
	how := "this line goes by itself in " + span(r.At.Add(recalled).Sub(v.now))
	if r.Hint != "" {
		how += "; " + printableLine(r.Hint) // a command stands last, for copying
	}
	return []task{{
		rank: rankRefused, about: printable(c.Name), brush: paint(v.color).fair,
		what: "not given out " + span(v.now.Sub(r.At)) + " ago: " + refusedServer(r), how: how,
	}}
}

func refusedServer(r *ipc.Refusal) string {
	if r.Server == nil {
		return "the caller did not say for which server"
	}
	return "it is not bound to " + serverWords(*r.Server)
}

// deletions are what a person has to delete in the Console: no program can.
func (v view) deletions(c ipc.Credential) (all []task) {
	for _, t := range c.Retiring {
		if !t.Delete {
			continue
		}
		id := printable(tokenWords(t))
		all = append(all, task{
			rank: rankDelete, about: printable(c.Name), what: "delete " + id + " in the Console: " + consolePage,
			how: fmt.Sprintf("it gave way %s ago and %s; then: cwagent retired --done %s", span(v.now.Sub(t.Since)), livesWords(t), shellWord(id)),
		})
	}
	return all
}
