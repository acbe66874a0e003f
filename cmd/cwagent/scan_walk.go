package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cwagent/cwagent/agent/kubeconfig"
)

// The bounds of a scan: a home may have millions of files, and be on a slow disk.
type bounds struct {
	depth   int
	entries int   // files and folders
	bytes   int64 // that are read
	time    time.Duration
}

var scanBounds = bounds{depth: 32, entries: 1_000_000, bytes: 4 << 30, time: 5 * time.Minute}

// skippedFolders are those that hold what programs can fetch again, or the history of
// what is beside them.
var skippedFolders = []string{".git", ".hg", ".svn", "node_modules", ".cache", "Caches", "__pycache__", ".venv", ".npm", ".cargo", ".rustup"}

// goModules is where Go keeps the sources of others.
var goModules = filepath.Join("go", "pkg", "mod")

// errStop ends the walk.
var errStop = errors.New("a bound of the scan was met")

// walk looks at what is below root, on its file system.
func (s *scanner) walk(ctx context.Context, root string) error {
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	info, err := os.Stat(root)
	if err != nil {
		return noFolder(root, err)
	}
	s.home, s.bound = s.device(info)
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		return noFolder(root, err)
	}
	err = filepath.WalkDir(real, func(path string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if s.entries++; s.bounded() {
			return errStop
		}
		s.progress()
		if err != nil {
			s.unread(err)
			return nil
		}
		path = root + strings.TrimPrefix(path, real)
		if d.IsDir() {
			return s.enter(path, root, d)
		}
		s.look(path)
		return nil
	})
	if errors.Is(err, errStop) {
		return nil
	}
	return err
}

// noFolder says why a folder that was named cannot be searched.
func noFolder(root string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fail("name a folder that is there", "import --scan: %s: no such file or folder", root)
	}
	return fail("name a folder that you may read", "import --scan: %v", err)
}

// enter decides whether a folder is looked into.
func (s *scanner) enter(path, root string, d fs.DirEntry) error {
	if path == root {
		return nil
	}
	if strings.Count(strings.TrimPrefix(path, root), string(filepath.Separator)) > s.bounds.depth {
		s.Stopped = fmt.Sprintf("%d folders in each other", s.bounds.depth)
		return fs.SkipDir
	}
	info, err := d.Info()
	if slices.Contains(skippedFolders, d.Name()) || strings.HasSuffix(path, string(filepath.Separator)+goModules) || err == nil && s.elsewhere(info) {
		s.Skipped = append(s.Skipped, kubeconfig.HideTokens(path))
		return fs.SkipDir
	}
	return nil
}

// elsewhere reports whether something is on another file system than the folder that
// is searched: one of the network may be slow, and is the others' as well.
func (s *scanner) elsewhere(info fs.FileInfo) bool {
	dev, known := s.device(info)
	return s.bound && known && dev != s.home
}

// leadsElsewhere reports whether path is a link to a file on another file system. Only
// the device of its folder tells: on some file systems, such as overlays, files have
// others than their folders.
func (s *scanner) leadsElsewhere(path string) bool {
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink == 0 {
		return false // the walk has judged its folder
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil || filepath.Dir(real) == filepath.Dir(path) {
		return false
	}
	dir, err := os.Stat(filepath.Dir(real))
	return err == nil && s.elsewhere(dir)
}

// bounded reports whether a bound is met. The clock is asked each time: one entry of
// a slow disk may take seconds.
func (s *scanner) bounded() bool {
	switch {
	case s.entries > s.bounds.entries:
		s.Stopped = fmt.Sprintf("%d files and folders", s.bounds.entries)
	case s.bytes >= s.bounds.bytes:
		s.Stopped = fmt.Sprintf("%d GiB", s.bounds.bytes>>30)
	case s.now().After(s.until):
		s.Stopped = s.bounds.time.String()
	default:
		return false
	}
	return true
}

// unread counts what this user may not read. What is gone meanwhile is no loss.
func (s *scanner) unread(err error) {
	if !errors.Is(err, fs.ErrNotExist) {
		s.NoAccess++
	}
}
