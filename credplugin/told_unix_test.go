//go:build unix

package credplugin

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// noon is when the tests begin.
var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// newTold returns a told in a private folder, for a parent of that name.
func newTold(t *testing.T, parent string) told {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "cwagent")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	note := openTold(filepath.Join(dir, "agent.sock"), true).of(parent).at(0)
	note.paths = note.paths[:1] // not the one that is all runs'
	return note
}

// of returns the same file as another parent sees it.
func (t told) of(parent string) told {
	t.parent = func() (string, bool) { return parent, true }
	return t
}

// at returns the same file as it is seen that long after noon.
func (t told) at(d time.Duration) told {
	t.now = func() time.Time { return noon.Add(d) }
	return t
}

func TestToldOnce(t *testing.T) {
	t.Parallel()
	note := newTold(t, "100 5")
	for i, c := range []struct {
		note told
		when time.Duration
		why  string
		want bool
		say  string
	}{
		{note, 0, "a", true, "the first time"},
		{note, 0, "a", false, "again"},
		{note, 6 * time.Second, "a", false, "six seconds later"},
		{note, 6 * time.Second, "b", true, "another outcome"},
		{note.of("100 6"), 7 * time.Second, "a", true, "another process of the same pid"},
		{note.of("10 5"), 7 * time.Second, "a", true, "a pid that begins like the other"},
		{note, 10 * time.Second, "a", false, "ten seconds later, to the millisecond"},
		{note, 10*time.Second + time.Millisecond, "a", true, "after that, though it was kept quiet in between"},
		{note, 11 * time.Second, "b", false, "the other outcome is five seconds old"},
		{note, -time.Hour, "a", true, "the clock was set back"},
		{note, -time.Hour, "a", false, "and runs on from there"},
		{note, 24 * time.Hour, "a", true, "and forward"},
	} {
		if got := c.note.at(c.when).first(c.why, false); got != c.want {
			t.Errorf("%d, %s: %v", i, c.say, got)
		}
	}
}

func TestToldHung(t *testing.T) {
	t.Parallel()
	note := newTold(t, "100 5")
	hung := func(note told, d time.Duration, want bool, say string) {
		t.Helper()
		if got := note.at(d).hung(); got != want {
			t.Errorf("%s: %v", say, got)
		}
	}
	hung(note, 0, false, "nothing is known")
	note.first("no agent", false)
	hung(note, 0, false, "another failure")
	note.first("no answer", true)
	hung(note, 0, true, "at once")
	hung(note, 10*time.Second, true, "ten seconds later")
	hung(note, 10*time.Second+time.Millisecond, false, "after that")
	hung(note, -time.Second, false, "the clock was set back")
	hung(note.of("100 6"), 0, false, "another parent")
	hung(note.of("10 5"), 0, false, "a pid that begins like the other")
	note.first("something else", false)
	hung(note, 0, true, "another failure in between")

	unknown := note
	unknown.parent = func() (string, bool) { return "100 5", false }
	hung(unknown, 0, false, "a parent without a start time")
	for range 2 {
		if !unknown.first("no answer", true) {
			t.Error("nobody was told")
		}
	}
}

// Whoever waits for the lock reads the clock when it has it: with an earlier
// time what others wrote meanwhile would look as if it were of the future.
func TestToldClockAfterLock(t *testing.T) {
	t.Parallel()
	note := newTold(t, "100 5")
	read := false
	note.now = func() time.Time {
		read = true
		f, err := os.Open(note.paths[0])
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != unix.EWOULDBLOCK {
			t.Errorf("the lock is free: %v", err)
		}
		return noon
	}
	if !note.first("x", false) || !read {
		t.Error("not told, or at no time")
	}
}

// The file says whom, when and which, and never what; old lines leave.
func TestToldFile(t *testing.T) {
	t.Parallel()
	note := newTold(t, "100 5")
	note.first("credential \"prod\" at host.example", false)
	b, err := os.ReadFile(note.paths[0])
	if err != nil || !strings.HasPrefix(string(b), "100 5 1782907200000 failed ") || strings.Count(string(b), "\n") != 1 {
		t.Errorf("%q, %v", b, err)
	}
	if strings.Contains(string(b), "prod") || strings.Contains(string(b), "host") {
		t.Errorf("it names things: %s", b)
	}
	if info, err := os.Lstat(note.paths[0]); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	for i := range 100 {
		note.at(time.Duration(i)*time.Minute).first("x", false)
	}
	if b, _ := os.ReadFile(note.paths[0]); strings.Count(string(b), "\n") != 1 {
		t.Errorf("it grows: %s", b)
	}
}

// Whatever stands in the file, a person is told, and the file is of use again.
func TestToldGarbage(t *testing.T) {
	t.Parallel()
	for name, b := range map[string]string{
		"empty":             "",
		"binary":            "\x00\xff\n\x00 hung \n",
		"one long line":     strings.Repeat("hung ", 1<<18),
		"many lines":        strings.Repeat("100 5 hung\n", 1<<17),
		"half a line":       "100 5 1782907200000 hung 1",
		"no number":         "100 5 now hung 1\n",
		"a huge number":     "100 5 99999999999999999999999 hung 1\n",
		"a negative number": "100 5 -9223372036854775808 hung 1\n",
		"too many fields":   "100 5 1782907200000 hung 1 1\n",
		"the future":        "100 5 1782907200001 hung 1\n",
	} {
		note := newTold(t, "100 5")
		if err := os.WriteFile(note.paths[0], []byte(b), 0o600); err != nil {
			t.Fatal(err)
		}
		if note.hung() {
			t.Errorf("%s: a hang that never was", name)
		}
		if !note.first("x", false) || note.first("x", false) {
			t.Errorf("%s: not told once", name)
		}
		if info, err := os.Stat(note.paths[0]); err != nil || info.Size() > 100 {
			t.Errorf("%s: left as it was: %v, %v", name, info, err)
		}
	}
}

// What is not a plain file in a private folder is neither believed nor touched.
func TestToldElsewhere(t *testing.T) {
	t.Parallel()
	const line = "100 5 1782907200000 hung 1\n"
	for name, put := range map[string]func(note told) error{
		"a link": func(note told) error {
			return os.Symlink(filepath.Join(filepath.Dir(note.paths[0]), "precious"), note.paths[0])
		},
		"a link to nothing":   func(note told) error { return os.Symlink("nowhere", note.paths[0]) },
		"a folder":            func(note told) error { return os.Mkdir(note.paths[0], 0o700) },
		"a pipe":              func(note told) error { return unix.Mkfifo(note.paths[0], 0o600) },
		"in a folder for all": func(note told) error { return widen(note.paths[0], line) },
	} {
		note := newTold(t, "100 5")
		precious := filepath.Join(filepath.Dir(note.paths[0]), "precious")
		if err := os.WriteFile(precious, []byte(line), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := put(note); err != nil {
			t.Fatal(err)
		}
		if note.hung() {
			t.Errorf("%s: believed", name)
		}
		for range 2 {
			if !note.first("x", false) {
				t.Errorf("%s: nobody was told", name)
			}
		}
		for _, path := range []string{precious, filepath.Join(filepath.Dir(note.paths[0]), "nowhere")} {
			if b, err := os.ReadFile(path); err == nil && string(b) != line {
				t.Errorf("%s: it became %q", name, b)
			}
		}
	}
}

// widen makes the file and opens its folder to everybody.
func widen(path, content string) error {
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		return err
	}
	return os.Chmod(filepath.Dir(path), fs.FileMode(0o755))
}
