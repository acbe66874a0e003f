package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

const (
	watchedNews  = 24 * time.Hour // for as long it is news that a token was taken out of a file
	watchedNotes = 5              // a folder of downloads may hold hundreds
	watchedGone  = 3
)

// watched says what a person may want to know about the files that the agent looks
// after: tokens in clear, then what it has changed.
func (v view) watched(watched []ipc.Watch) (all []task) {
	notes := watchNotes(watched, v.now)
	for _, x := range notes[:min(len(notes), watchedNotes)] {
		t := task{rank: rankKnow, about: watchedWhere(x), what: watchedWords(x, v.now), how: printableLine(x.Hint)}
		switch {
		case x.State == ipc.WatchFound || x.State == ipc.WatchWaiting && x.Hint != "":
			t.rank, t.brush = rankClear, paint(v.color).fair
		case x.Hint != "":
			t.rank = rankFile
		}
		all = append(all, t)
	}
	if more := len(notes) - watchedNotes; more > 0 {
		all = append(all, task{rank: rankFile, about: fmt.Sprintf("and %d more", more), what: "cwagent status -o json"})
	}
	return all
}

// gone names paths where nothing is, in a line.
func (v view) gone(watched []ipc.Watch) []string {
	var gone []string
	for _, x := range watched {
		if x.State == ipc.WatchMissing {
			gone = append(gone, printable(x.Path))
		}
	}
	if len(gone) == 0 {
		return nil
	}
	words := strings.Join(gone[:min(len(gone), watchedGone)], ", ")
	if more := len(gone) - watchedGone; more > 0 {
		words += fmt.Sprintf(" and %d more", more)
	}
	return v.wrap("", "looked after once there: "+words, nil)
}

// putBack lists the files in which tokens are meant to be, a line for each.
func (v view) putBack(watched []ipc.Watch) (lines []string) {
	var files []string
	users := map[string][]string{}
	for _, x := range watched {
		if x.State != ipc.WatchRestored {
			continue
		}
		if users[x.Path] == nil {
			files = append(files, x.Path)
		}
		users[x.Path] = append(users[x.Path], printable(x.User))
	}
	if len(files) == 0 {
		return nil
	}
	lines = v.wrap("", "put back by cwagent restore, and left in clear (cwagent import FILE takes it again):", nil)
	for _, path := range files[:min(len(files), watchedNotes)] {
		lines = append(lines, v.wrap("  ", printable(path)+", user "+strings.Join(users[path], ", "), nil)...)
	}
	if more := len(files) - watchedNotes; more > 0 {
		lines = append(lines, v.wrap("  ", fmt.Sprintf("and %d more: cwagent status -o json", more), nil)...)
	}
	return lines
}

// watchNotes are what is worth a note, the most urgent first.
func watchNotes(watched []ipc.Watch, now time.Time) (notes []ipc.Watch) {
	for _, x := range watched {
		switch {
		case slices.Contains([]ipc.WatchState{ipc.WatchMissing, ipc.WatchQuiet, ipc.WatchRestored}, x.State):
		case x.State == ipc.WatchAbsorbed && now.Sub(x.At) >= watchedNews:
		default:
			notes = append(notes, x)
		}
	}
	urgency := func(x ipc.Watch) int {
		return slices.Index([]ipc.WatchState{ipc.WatchFound, ipc.WatchWaiting, ipc.WatchUnreadable, ipc.WatchAbsorbed}, x.State)
	}
	slices.SortStableFunc(notes, func(a, b ipc.Watch) int { return cmp.Compare(urgency(a), urgency(b)) })
	return notes
}

func watchedWhere(x ipc.Watch) string {
	if x.User == "" {
		return printable(x.Path)
	}
	return printable(x.Path) + ", user " + printable(x.User)
}

func watchedWords(x ipc.Watch, now time.Time) string {
	what := string(x.State) // of an agent that is newer than this command
	switch x.State {
	case ipc.WatchFound:
		what = "a token in clear is left there"
	case ipc.WatchWaiting:
		what = "a token in clear is still there, tried again by itself"
	case ipc.WatchUnreadable:
		what = "not read"
	case ipc.WatchAbsorbed:
		what = fmt.Sprintf("a token was taken out for %s, %s ago", x.Credential, span(now.Sub(x.At)))
	}
	if x.Why == "" {
		return what
	}
	return what + ": " + printable(x.Why)
}

// watchedOf are those that are about a credential.
func watchedOf(watched []ipc.Watch, credential string) []ipc.Watch {
	return slices.DeleteFunc(slices.Clone(watched), func(x ipc.Watch) bool { return x.Credential != credential })
}
