package watch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
)

func only(names ...string) func(string) bool {
	return func(name string) bool {
		for _, n := range names {
			if n == name {
				return true
			}
		}
		return false
	}
}

// What editors, browsers and kubectl do to a file.
func TestChanges(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := filepath.Join(dir, "config")
	write(t, config, "old")
	f := on(t, dir, Options{Match: only("config")})
	for _, tt := range []struct {
		name string
		do   func()
	}{
		{"written in place", func() { write(t, config, "new") }},
		{"replaced by renaming", func() {
			write(t, config+".tmp", "newer")
			must(t, os.Rename(config+".tmp", config))
		}},
		{"moved away and written anew", func() {
			must(t, os.Rename(config, config+"~"))
			write(t, config, "newest")
		}},
		{"mode", func() { must(t, os.Chmod(config, 0o644)) }},
		{"deleted", func() { must(t, os.Remove(config)) }},
		{"made", func() { write(t, config, "again") }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f.soon(tt.do)
			if n := f.settled(); n != 0 {
				t.Errorf("called %d times more", n)
			}
		})
	}
}

// A download shows under its name when it is complete; until then nobody looks.
func TestDownload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := on(t, dir, Options{Match: func(name string) bool {
		return strings.HasPrefix(name, "CWKubeconfig_") && !strings.HasSuffix(name, ".part")
	}})
	part := filepath.Join(dir, "CWKubeconfig_x.part")
	for i := range 20 {
		write(t, part, strings.Repeat("x", i))
	}
	write(t, filepath.Join(dir, "other"), "x")
	if n := f.settled(); n != 0 {
		t.Errorf("called %d times for what does not count", n)
	}
	f.soon(func() { must(t, os.Rename(part, strings.TrimSuffix(part, ".part"))) })
	if n := f.settled(); n != 0 {
		t.Errorf("called %d times more", n)
	}
}

// A change is acted on within a second. The promptest of several counts: a busy
// machine may stop one.
func TestPrompt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := on(t, dir, Options{})
	for name, do := range map[string]func(){
		"one file": func() { write(t, filepath.Join(dir, "x"), "x") },
		"100 files": func() {
			for i := range 100 {
				write(t, filepath.Join(dir, fmt.Sprint(i)), "x")
			}
		},
	} {
		promptest := patience
		for range 3 {
			promptest = min(promptest, f.soon(do))
			f.settled()
		}
		t.Logf("%s: %v", name, promptest)
		if promptest > time.Second {
			t.Errorf("%s: called after %v", name, promptest)
		}
	}
}

func TestNothingAtFirst(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "was"), "there")
	if n := on(t, dir, Options{}).settled(); n != 0 {
		t.Errorf("called %d times before there was a change", n)
	}
}

func TestManyFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := on(t, dir, Options{})
	f.soon(func() {
		for i := range 500 {
			write(t, filepath.Join(dir, fmt.Sprint(i)), "x")
		}
	})
	if n := f.settled(); n > 4 {
		t.Errorf("called %d times more for 500 files", n)
	}
}

// The files of a projected volume are links through ..data, which is swapped.
func TestProjectedVolume(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	publish := func(version string) {
		must(t, os.Mkdir(filepath.Join(dir, version), 0o755))
		write(t, filepath.Join(dir, version, "token"), version)
		must(t, os.Symlink(version, filepath.Join(dir, "..data_tmp")),
			os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	}
	publish("..1")
	must(t, os.Symlink("..data/token", filepath.Join(dir, "token")))
	f := on(t, dir, Options{Match: only("token")})
	f.soon(func() { publish("..2") })
	if b, err := os.ReadFile(filepath.Join(dir, "token")); err != nil || string(b) != "..2" {
		t.Errorf("read %q, %v", b, err)
	}
}

func TestFolderComesLater(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	dir := filepath.Join(top, "a", "b", "c")
	f, err := begin(t, newWatcher(dir, Options{}, nil), func(do func()) { do() })
	if !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("state %v, want that it does not exist", err)
	}
	write(t, filepath.Join(top, "beside"), "x")
	must(t, os.Mkdir(filepath.Join(top, "a"), 0o755))
	if n := f.settled(); n != 0 {
		t.Errorf("called %d times", n)
	}
	f.soon(func() { // all at once: no watch can stand in time
		must(t, os.MkdirAll(dir, 0o755))
		write(t, filepath.Join(dir, "config"), "x")
	})
	if err := f.state(); err != nil {
		t.Errorf("state %v", err)
	}
	f.settled()
	f.soon(func() { write(t, filepath.Join(dir, "config"), "y") })
}

// The folder comes after it was found missing and before the watch above it
// stands: nothing tells of that.
func TestFolderComesMeanwhile(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	dir := filepath.Join(top, "a", "b")
	w := newWatcher(dir, Options{}, nil)
	if w.open == nil {
		t.Skip("this system's events are not used")
	}
	add := w.add
	w.add = func(f *fsnotify.Watcher, at string) error {
		var err error
		switch at {
		case top:
			err = os.MkdirAll(filepath.Dir(dir), 0o755)
		case filepath.Dir(dir):
			err = os.MkdirAll(dir, 0o755)
		}
		return errors.Join(err, add(f, at))
	}
	f, err := begin(t, w, func(do func()) { do() })
	if err != nil {
		t.Errorf("state %v", err)
	}
	f.soon(func() { write(t, filepath.Join(dir, "config"), "x") })
}

func TestFolderGoesAndReturns(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	dir := filepath.Join(top, "a", "b")
	must(t, os.MkdirAll(dir, 0o755))
	f := on(t, dir, Options{})
	for _, tt := range []struct {
		how    string
		remove func()
	}{
		{"deleted", func() { must(t, os.RemoveAll(dir)) }},
		{"deleted with the one above", func() { must(t, os.RemoveAll(filepath.Dir(dir))) }},
		{"moved", func() { must(t, os.Rename(dir, filepath.Join(top, "moved"))) }},
		{"a file in its place", func() { must(t, os.RemoveAll(dir)); write(t, dir, "x") }},
		{"in use", func() { // the kernel keeps it, and its watch, for as long as it is open
			held, err := os.Open(dir)
			must(t, err)
			t.Cleanup(func() { held.Close() })
			write(t, filepath.Join(dir, "x"), "x")
			must(t, os.RemoveAll(dir))
		}},
	} {
		t.Log(tt.how)
		f.soon(tt.remove)
		if err := f.state(); !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			t.Errorf("state %v", err)
		}
		f.settled()
		f.soon(func() { must(t, os.RemoveAll(dir), os.MkdirAll(dir, 0o755)) })
		for err := f.state(); err != nil; err = f.state() { // a file in its place goes first
		}
		f.settled()
		f.soon(func() { write(t, filepath.Join(dir, "config"), "x") })
		f.settled()
	}
}

// Another folder in the same place, at once.
func TestFolderIsReplaced(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "d")
	must(t, os.Mkdir(dir, 0o755), os.Mkdir(dir+".new", 0o755))
	f := on(t, dir, Options{})
	f.soon(func() { must(t, os.Rename(dir, dir+".old"), os.Rename(dir+".new", dir)) })
	f.settled()
	f.soon(func() { write(t, filepath.Join(dir, "config"), "x") })
}

// fsnotify sends errors under its lock when a folder is moved and deleted: nothing
// may come to a stop.
func TestChurn(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "d")
	must(t, os.Mkdir(dir, 0o755))
	f := on(t, dir, Options{})
	for i := range 300 {
		moved := fmt.Sprintf("%s.%d", dir, i)
		must(t, os.Rename(dir, moved), os.Remove(moved), os.Mkdir(dir, 0o755))
		write(t, filepath.Join(dir, "x"), "x")
		must(t, os.Remove(filepath.Join(dir, "x")))
	}
	f.settled()
	f.soon(func() { write(t, filepath.Join(dir, "last"), "x") })
}
