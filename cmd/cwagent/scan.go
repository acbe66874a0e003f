package main

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

// the exit codes of --scan
const (
	exitFound      = 1
	exitIncomplete = 2
)

// A find is a token that lies in a file in clear. It holds no byte of it.
type find struct {
	File     string   `json:"file"`
	Line     int      `json:"line"` // 0: of a file that was read from its end
	User     string   `json:"user"` // of a kubeconfig
	ID       string   `json:"id,omitempty"`
	Command  []string `json:"command"`  // that takes it out of a kubeconfig; else none does alone
	Kind     string   `json:"kind"`     // kubeconfig, or a cleartext.Kind
	Variable string   `json:"variable"` // what it is called where it lies; empty if it is not
	Cure     string   `json:"cure"`     // what to do, for a person: lines, commands indented

	prefixed bool // it begins as CoreWeave's do
}

// A scanner looks for tokens in files. It needs no agent and changes nothing.
type scanner struct {
	*cli
	device func(fs.FileInfo) (uint64, bool)
	bounds bounds

	Found    []find   `json:"found"`
	Unread   []string `json:"unread"`            // what may have a token, and why that cannot be told
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
	seen    map[int64][]fs.FileInfo // those with a token, by their times
	spoke   time.Time               // when the progress line was drawn last
	drawn   bool
	reader  []byte
}

func (c *cli) newScanner(b bounds) *scanner {
	return &scanner{
		cli: c, device: device, bounds: b, until: c.now().Add(b.time),
		Found: []find{}, Unread: []string{}, Skipped: []string{}, seen: map[int64][]fs.FileInfo{}, reader: make([]byte, scanSize+1),
	}
}

func (c *cli) runScan(ctx context.Context, roots []string, output string) error {
	s := c.newScanner(scanBounds)
	if len(roots) == 0 {
		for _, path := range c.kubeconfigs(nil) {
			s.look(path)
		}
		home := c.home()
		if home == "" {
			return fail("set HOME, or name a folder: cwagent import --scan FOLDER", "import --scan: nobody knows where your home is")
		}
		roots = []string{home}
	}
	for _, root := range roots {
		if err := s.walk(ctx, root); err != nil {
			return err
		}
	}
	s.clear()
	var how cure
	if len(s.Found) > 0 {
		how = s.newCure(ctx)
	}
	for i := range s.Found {
		s.Found[i].Cure = strings.Join(how.words(s.Found[i:i+1]), "\n")
	}
	s.Complete = s.Stopped == "" && len(s.Unread) == 0 && s.NoAccess == 0
	if output == "json" {
		if err := writeJSON(c.out, s); err != nil {
			return err
		}
	} else {
		s.print(how)
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
