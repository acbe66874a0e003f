package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/cleartext"
	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/agent/lazyregexp"
)

const (
	// scanSize is the most of one file: a kubeconfig with 5,000 users has 2 MB.
	scanSize = 8 << 20

	// scanFinds is the most of one file: who has so many wants no list of them.
	scanFinds = 1000

	// tokenPrefix is how CoreWeave's API Access Tokens begin; agent.IsAPIToken judges
	// what it leads to.
	tokenPrefix = "CW-SECRET-"
)

// usersKey is what a kubeconfig with a token has, in YAML or JSON: its kind may be
// missing.
var usersKey = lazyregexp.New(`users["']?\s*:`)

// isConfig is what a kubeconfig says of itself.
var isConfig = lazyregexp.New(`kind["']?\s*:\s*["']?Config\b`)

// look looks into one file. A link counts as the file that it leads to: people
// keep ~/.kube/config elsewhere.
func (s *scanner) look(path string) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() <= int64(len(tokenPrefix)) {
		return
	}
	kind, known := cleartext.KindOf(path)
	shown := kubeconfig.HideTokens(path)
	if info.Size() > scanSize && !known {
		return
	}
	if s.leadsElsewhere(path) {
		s.Skipped = append(s.Skipped, shown)
		return
	}
	s.Files++
	if info.Size() > scanSize && kind != cleartext.History {
		s.Unread = append(s.Unread, shown+": it is larger than 8 MiB")
		return
	}
	text, whole, err := s.read(path, kind)
	if err != nil {
		s.unread(err)
		return
	}
	s.bytes += int64(len(text))
	if !whole {
		s.Unread = append(s.Unread, shown+": it is larger than 8 MiB, and only its end was read")
	}
	found, err := inText(shown, kind, text)
	if len(found) == 0 && err == nil || s.had(info) {
		return
	}
	if err != nil {
		s.Unread = append(s.Unread, err.Error())
	}
	if len(found) > scanFinds {
		s.Unread = append(s.Unread, shown+": it has more than 1000 tokens, and only those are listed")
		found = found[:scanFinds]
	}
	for _, f := range found {
		if !whole {
			f.Line = 0
		}
		s.Found = append(s.Found, f)
	}
}

// had reports whether tokens were found in a file already, under another name.
func (s *scanner) had(info fs.FileInfo) bool {
	at := info.ModTime().UnixNano() // the same file has the same
	if slices.ContainsFunc(s.seen[at], func(had fs.FileInfo) bool { return os.SameFile(had, info) }) {
		return true
	}
	s.seen[at] = append(s.seen[at], info)
	return false
}

// inText returns the tokens of a text that stands in that file. An error means that it
// seems to be a kubeconfig with a token, and cannot be read.
func inText(path string, kind cleartext.Kind, text []byte) ([]find, error) {
	ascii := text
	if kubeconfig.UTF16(text) {
		ascii = bytes.ReplaceAll(text, []byte{0}, nil) // enough to find what is in ASCII
	}
	if bytes.Contains(ascii, []byte(tokenPrefix)) && usersKey().Match(ascii) {
		found, err := inUsers(path, text)
		if len(found) > 0 || err == nil && kind == cleartext.Other && isConfig().Match(ascii) {
			return append(found, besideUsers(path, ascii, found)...), err
		}
		if err != nil && kind == cleartext.Other {
			return nil, err
		}
	}
	var found []find
	for _, p := range cleartext.Find(kind, ascii) {
		found = append(found, find{File: path, Line: p.Line, Command: []string{}, Kind: string(kind), Variable: p.Variable, prefixed: p.Prefixed})
	}
	return found, nil
}

// inUsers returns the tokens of a kubeconfig's users.
func inUsers(path string, text []byte) (found []find, err error) {
	f, err := (&kubeconfig.File{Path: path}).With(text)
	if err != nil {
		return nil, err
	}
	id, _ := kubeconfig.Download(path)
	for _, u := range f.Users {
		if agent.IsAPIToken(u.Token) {
			found = append(found, find{File: path, Line: u.Line, User: kubeconfig.HideTokens(u.Name), ID: id, Command: []string{"cwagent", "import", path}, Kind: kindKubeconfig, prefixed: true})
		}
	}
	return found, nil
}

// besideUsers returns the tokens of a kubeconfig that are no user's token: in comments,
// in what an exec block gives its program, as a password. Import leaves these.
func besideUsers(path string, text []byte, users []find) (found []find) {
	for _, p := range cleartext.Find(cleartext.Other, text) {
		if !slices.ContainsFunc(users, func(u find) bool { return u.Line == p.Line }) {
			found = append(found, find{File: path, Line: p.Line, Command: []string{}, Kind: kindKubeconfig, Variable: p.Variable, prefixed: true})
		}
	}
	return found
}

// read reads a file, unless it does not begin as a text: a history may, after a crash.
// Of one that is too large it reads the end, from the start of a line, and whole is
// false. What has become a pipe meanwhile is not waited for.
func (s *scanner) read(path string, kind cleartext.Kind) (text []byte, whole bool, err error) {
	f, err := openNoWait(path)
	if err != nil {
		return nil, true, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, true, err
	}
	if kind == cleartext.History && info.Size() > scanSize {
		n, err := f.ReadAt(s.reader[:scanSize], info.Size()-scanSize)
		_, text, _ := bytes.Cut(s.reader[:n], []byte("\n"))
		return text, false, atEnd(err)
	}
	n, err := io.ReadFull(f, s.reader[:512])
	if err == nil && (kind == cleartext.History || kubeconfig.UTF16(s.reader[:n]) || bytes.IndexByte(s.reader[:n], 0) < 0) {
		var more int
		more, err = io.ReadFull(f, s.reader[n:])
		n += more
	}
	return s.reader[:n], true, atEnd(err)
}

// atEnd says that a file may end.
func atEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}
