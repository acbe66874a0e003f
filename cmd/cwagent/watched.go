package main

import (
	"cmp"
	"fmt"
	"io"
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

// printWatched says what a person may want to know about the files that the agent
// looks after: tokens in clear first, then what it has changed, then what asks for
// nothing: tokens that restore has put back, and what is not there.
func printWatched(out io.Writer, watched []ipc.Watch, now time.Time) {
	notes, gone := watchNotes(watched, now)
	for _, x := range notes[:min(len(notes), watchedNotes)] {
		fmt.Fprintf(out, "\n%s: %s\n", watchedWhere(x), watchedWords(x, now))
		if x.Hint != "" {
			fmt.Fprintf(out, "  %s\n", x.Hint)
		}
	}
	if more := len(notes) - watchedNotes; more > 0 {
		fmt.Fprintf(out, "\nand %d more: cwagent status -o json\n", more)
	}
	printPutBack(out, watched)
	if len(gone) == 0 {
		return
	}
	words := strings.Join(gone[:min(len(gone), watchedGone)], ", ")
	if more := len(gone) - watchedGone; more > 0 {
		words += fmt.Sprintf(" and %d more", more)
	}
	fmt.Fprintf(out, "\nlooked after once there: %s\n", words)
}

// printPutBack lists the files in which tokens are meant to be, a line for each.
func printPutBack(out io.Writer, watched []ipc.Watch) {
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
		return
	}
	fmt.Fprint(out, "\nput back by cwagent restore, and left in clear (cwagent import FILE takes it again):\n")
	for _, path := range files[:min(len(files), watchedNotes)] {
		fmt.Fprintf(out, "  %s, user %s\n", printable(path), strings.Join(users[path], ", "))
	}
	if more := len(files) - watchedNotes; more > 0 {
		fmt.Fprintf(out, "  and %d more: cwagent status -o json\n", more)
	}
}

// watchNotes returns what is worth a note, the most urgent first, and the paths
// where nothing is.
func watchNotes(watched []ipc.Watch, now time.Time) (notes []ipc.Watch, gone []string) {
	for _, x := range watched {
		switch {
		case x.State == ipc.WatchMissing:
			gone = append(gone, printable(x.Path))
		case x.State == ipc.WatchQuiet, x.State == ipc.WatchRestored, x.State == ipc.WatchAbsorbed && now.Sub(x.At) >= watchedNews:
		default:
			notes = append(notes, x)
		}
	}
	urgency := func(x ipc.Watch) int {
		return slices.Index([]ipc.WatchState{ipc.WatchFound, ipc.WatchWaiting, ipc.WatchUnreadable, ipc.WatchAbsorbed}, x.State)
	}
	slices.SortStableFunc(notes, func(a, b ipc.Watch) int { return cmp.Compare(urgency(a), urgency(b)) })
	return notes, gone
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
