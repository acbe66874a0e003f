package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/agent/kubeconfig"
)

// The bounds of a scan: a home may have millions of files, and be on a slow disk.
const (
	scanDepth = 32
	scanFiles = 1_000_000
	scanBytes = 4 << 30
	scanTime  = 5 * time.Minute
	scanSize  = 8 << 20 // of one file; a kubeconfig with 5,000 users has 2 MB
)

// skippedFolders are those that hold what programs can fetch again, or the history of
// what is beside them.
var skippedFolders = []string{".git", ".hg", ".svn", "node_modules", ".cache", "Caches", "__pycache__", ".venv", ".npm", ".cargo", ".rustup"}

// goModules is where Go keeps the sources of others.
var goModules = filepath.Join("go", "pkg", "mod")

// errStop ends the walk.
var errStop = errors.New("a bound of the scan was met")

// tokenPrefix is how CoreWeave's API Access Tokens begin; agent.IsAPIToken judges
// what it leads to.
const tokenPrefix = "CW-SECRET-"

// walk looks at what is below root, on its file system.
func (s *scanner) walk(ctx context.Context, root string) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	info, err := os.Stat(root)
	if err != nil {
		return fail("name a folder that is there", "import --scan: %v", err)
	}
	home, known := s.device(info)
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		return fail("name a folder that is there", "import --scan: %v", err)
	}
	err = filepath.WalkDir(real, func(path string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			s.NoAccess++
			return nil
		}
		path = root + strings.TrimPrefix(path, real)
		if d.IsDir() {
			return s.enter(path, root, d, home, known)
		}
		if s.bounded() {
			return errStop
		}
		s.progress()
		s.look(path)
		return nil
	})
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

// enter decides whether a folder is looked into.
func (s *scanner) enter(path, root string, d fs.DirEntry, home uint64, known bool) error {
	if path == root {
		return nil
	}
	if slices.Contains(skippedFolders, d.Name()) || strings.HasSuffix(path, string(filepath.Separator)+goModules) {
		return fs.SkipDir
	}
	if strings.Count(strings.TrimPrefix(path, root), string(filepath.Separator)) > scanDepth {
		s.Stopped = fmt.Sprintf("folders more than %d deep", scanDepth)
		return fs.SkipDir
	}
	if info, err := d.Info(); err == nil && known {
		if dev, _ := s.device(info); dev != home {
			return fs.SkipDir
		}
	}
	return nil
}

func (s *scanner) bounded() bool {
	switch {
	case s.Files >= scanFiles:
		s.Stopped = fmt.Sprintf("%d files", scanFiles)
	case s.bytes >= scanBytes:
		s.Stopped = fmt.Sprintf("%d GiB", scanBytes>>30)
	case s.Files%64 == 0 && s.now().After(s.until):
		s.Stopped = scanTime.String()
	default:
		return false
	}
	return true
}

// look looks into one file. A link counts as the file that it leads to: people
// keep ~/.kube/config elsewhere.
func (s *scanner) look(path string) {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > scanSize || info.Size() < 32 {
		return
	}
	s.Files++
	text, err := s.read(path)
	if err != nil {
		s.NoAccess++
		return
	}
	s.bytes += int64(len(text))
	if !bytes.Contains(text, []byte(tokenPrefix)) || !bytes.Contains(text, []byte("Config")) || !bytes.Contains(text, []byte("users")) {
		return
	}
	if slices.ContainsFunc(s.seen, func(had fs.FileInfo) bool { return os.SameFile(had, info) }) {
		return
	}
	s.seen = append(s.seen, info)
	f, err := kubeconfig.Read(path)
	if err != nil {
		s.Unread = append(s.Unread, err.Error())
		return
	}
	id, _ := kubeconfig.Download(path)
	for _, u := range f.Users {
		if agent.IsAPIToken(u.Token) {
			s.Found = append(s.Found, find{path, u.Line, kubeconfig.HideTokens(u.Name), id, []string{"cwagent", "import", path}})
		}
	}
}

// read reads a file, unless it does not begin as a text.
func (s *scanner) read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	n, err := io.ReadFull(f, s.reader[:512])
	if err == nil && bytes.IndexByte(s.reader[:n], 0) < 0 {
		var more int
		more, err = io.ReadFull(f, s.reader[n:])
		n += more
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	return s.reader[:n], err
}
