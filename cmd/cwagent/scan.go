package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"time"
)

// the exit codes of --scan
const (
	exitFound      = 1
	exitIncomplete = 2
)

// A find is a token that lies in a file in clear.
type find struct {
	File    string   `json:"file"`
	Line    int      `json:"line"`
	User    string   `json:"user"`
	ID      string   `json:"id,omitempty"`
	Command []string `json:"command"` // that takes it out
}

// A scanner looks for tokens in files. It needs no agent and changes nothing.
type scanner struct {
	*cli
	device func(fs.FileInfo) (uint64, bool)
	bounds bounds

	Found    []find   `json:"found"`
	Unread   []string `json:"unread"`            // what may be a kubeconfig with a token, and why it cannot be read
	Files    int      `json:"files"`             // that were looked at
	Complete bool     `json:"complete"`          // everything was looked at, but for what is skipped
	Skipped  []string `json:"skipped"`           // folders that programs fill again, and what is on other file systems
	Stopped  string   `json:"stopped,omitempty"` // which bound was met, if one was
	NoAccess int      `json:"noAccess"`          // folders and files that this user may not read

	until   time.Time
	home    uint64 // the file system that is searched
	bound   bool   // to that one
	entries int    // that were met, folders included
	bytes   int64
	seen    []fs.FileInfo // those with a token
	spoke   time.Time     // when the progress line was drawn last
	drawn   bool
	reader  []byte
}

func (c *cli) newScanner(b bounds) *scanner {
	return &scanner{
		cli: c, device: device, bounds: b, until: c.now().Add(b.time),
		Found: []find{}, Unread: []string{}, Skipped: []string{}, reader: make([]byte, scanSize+1),
	}
}

func (c *cli) runScan(ctx context.Context, roots []string, output string) error {
	s := c.newScanner(scanBounds)
	if len(roots) == 0 {
		for _, path := range c.kubeconfigs(nil) {
			s.look(path)
		}
		roots = []string{c.getenv("HOME")}
	}
	for _, root := range roots {
		if err := s.walk(ctx, root); err != nil {
			return err
		}
	}
	s.clear()
	s.Complete = s.Stopped == "" && len(s.Unread) == 0 && s.NoAccess == 0
	if output == "json" {
		enc := json.NewEncoder(c.out)
		enc.SetIndent("", "  ")
		if err := enc.Encode(s); err != nil {
			return err
		}
	} else {
		s.print()
	}
	switch {
	case len(s.Found) > 0:
		return exitCode(exitFound)
	case !s.Complete:
		return exitCode(exitIncomplete)
	}
	return nil
}

// progress keeps a person at a terminal informed.
func (s *scanner) progress() {
	if s.entries%256 != 0 || !terminal(s.err) || s.now().Sub(s.spoke) < 200*time.Millisecond {
		return
	}
	s.spoke, s.drawn = s.now(), true
	fmt.Fprintf(s.err, "\r%d files looked at, %d tokens found ", s.Files, len(s.Found))
}

func (s *scanner) clear() {
	if s.drawn {
		fmt.Fprint(s.err, "\r\x1b[K")
	}
}

func (s *scanner) print() {
	last := ""
	for _, f := range s.Found {
		if f.File != last {
			last = f.File
			fmt.Fprintf(s.out, "%s\n  take it out: cwagent import %s\n", printable(f.File), quotedWord(f.File))
		}
		fmt.Fprintf(s.out, "  line %d, user %s %s\n", f.Line, printable(f.User), f.ID)
	}
	for _, why := range s.Unread {
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

// counted writes a number and what there is of it.
func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
