package main

import (
	"fmt"
	"slices"
	"strings"
)

// scanLines is how many places of one file are shown, and how many files that cannot
// be read: the sources of such a program as this one have hundreds.
const scanLines = 20

// print shows what was found, by file, and what was not looked at.
func (s *scanner) print(c cure) {
	shown := ""
	for from := 0; from < len(s.Found); {
		to := from + 1
		for to < len(s.Found) && s.Found[to].File == s.Found[from].File {
			to++
		}
		shown += s.printFile(c, s.Found[from:to])
		from = to
	}
	// import says that itself
	if slices.ContainsFunc(s.Found, func(f find) bool { return len(f.Command) == 0 }) {
		shown += " " + c.another()
		fmt.Fprintf(s.err, "note: a token that has lain in clear may have been read or copied:\n      %s\n", c.another())
	}
	if len(c.choice) > 0 && strings.Contains(shown, " NAME") {
		fmt.Fprintf(s.err, "note: NAME is one of %s\n", strings.Join(c.choice, ", "))
	}
	for i, why := range s.Unread {
		if i == scanLines {
			fmt.Fprintf(s.err, "note: and %d more like these: -o json names them\n", len(s.Unread)-i)
			break
		}
		fmt.Fprintf(s.err, "note: may hold a token, and cannot be read: %s\n", printable(why))
	}
	if s.NoAccess > 0 {
		fmt.Fprintf(s.err, "note: %d files or folders are not yours to read\n", s.NoAccess)
	}
	if len(s.Skipped) > 0 {
		fmt.Fprintf(s.err, "note: %s left out (.git, node_modules, caches, other file systems): -o json names them, cwagent import --scan FOLDER looks into one\n", counted(len(s.Skipped), "place"))
	}
	if s.Stopped != "" {
		fmt.Fprintf(s.err, "note: not everything was looked at, the limit is %s: name a folder, cwagent import --scan FOLDER\n", s.Stopped)
	}
	fmt.Fprintf(s.out, "%s found, %s searched\n", counted(len(s.Found), "token"), counted(s.Files, "file"))
}

// printFile shows the finds of one file, and returns what it says is to be done.
func (s *scanner) printFile(c cure, found []find) string {
	lines := c.words(found)
	fmt.Fprintf(s.out, "%s\n  take it out:", printable(found[0].File))
	for i, line := range lines {
		if i == 0 && !strings.HasPrefix(line, " ") {
			fmt.Fprintf(s.out, " %s\n", line)
			continue
		}
		if i == 0 {
			fmt.Fprintln(s.out)
		}
		fmt.Fprintf(s.out, "    %s\n", line)
	}
	s.printPlaces(found)
	return strings.Join(lines, "\n")
}

// printPlaces shows where in their file they are.
func (s *scanner) printPlaces(found []find) {
	for i, f := range found {
		if i == scanLines && f.Kind != kindKubeconfig {
			fmt.Fprintf(s.out, "  and %d more\n", len(found)-i)
			return
		}
		fmt.Fprintf(s.out, "  %s\n", f.place())
	}
}

// place says where in its file a find is.
func (f find) place() string {
	switch {
	case len(f.Command) > 0:
		return strings.TrimRight(fmt.Sprintf("line %d, user %s %s", f.Line, printable(f.User), f.ID), " ")
	case f.Line == 0 && f.Variable == "":
		return "near its end"
	case f.Line == 0:
		return "near its end, " + f.Variable
	case f.Variable == "":
		return fmt.Sprintf("line %d", f.Line)
	}
	return fmt.Sprintf("line %d, %s", f.Line, f.Variable)
}

// counted writes a number and what there is of it.
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
