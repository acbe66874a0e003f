package source

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

func write(t *testing.T, path, text string, at time.Time) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "token")
	short, endless := jwt(`{"exp":1795608060,"iat":1795607940}`), jwt(`{"sub":"x"}`)
	for _, tt := range []struct {
		name, text string
		lifetime   time.Duration
		written    time.Duration // before noon
		expires    time.Time     // zero: unknown
		created    time.Time
	}{
		{"opaque", "s3cr3t", 0, time.Minute, time.Time{}, noon.Add(-time.Minute)},
		{"opaque, with a lifetime", "s3cr3t\n", time.Hour, time.Minute, noon.Add(59 * time.Minute), noon.Add(-time.Minute)},
		{"opaque, from the future", "s3cr3t\n", time.Hour, -time.Hour, noon.Add(time.Hour), noon},
		{"a JWT", short, 0, time.Hour, noon.Add(time.Minute), noon.Add(-time.Minute)},
		{"a JWT knows better", short, time.Second, time.Hour, noon.Add(time.Minute), noon.Add(-time.Minute)},
		{"a JWT without an end", endless, time.Hour, time.Minute, noon.Add(59 * time.Minute), noon.Add(-time.Minute)},
	} {
		write(t, path, tt.text, noon.Add(-tt.written))
		f := &File{Path: path, Lifetime: tt.lifetime, Now: func() time.Time { return noon }}
		m, err := f.Next(t.Context(), agent.Occasion{})
		if err != nil || m.Secret.Reveal() != strings.TrimSpace(tt.text) || !m.Expires.Equal(tt.expires) ||
			(m.Expiry == ipc.ExpiryKnown) == tt.expires.IsZero() || !m.Created.Equal(tt.created) {
			t.Errorf("%s: %+v, %v", tt.name, m, err)
		}
	}
}

func TestFileBad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range map[string]string{
		"empty": "", "blank": "\n", "two": "s3cr3t\ns3cr3t", "words": "s3cr3t s3cr3t", "json": `{"token": "s3cr3t"}`, "quoted": `"s3cr3t"`,
		"large": strings.Repeat("s3cr3t", 1<<20), "old": "s3cr3t", "ended": jwt(`{"exp":1795607999}`),
	} {
		write(t, in(name), text, noon.Add(-2*time.Hour))
	}
	if err := os.Symlink(in("gone"), in("dangling")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		path  string
		class agent.Class
		why   string
	}{
		{in("missing"), agent.Transient, "/missing: there is no such file"},
		{in("dangling"), agent.Transient, "/dangling: there is no such file"},
		{in("empty"), agent.Transient, "/empty: it holds nothing"},
		{in("ended"), agent.Transient, "/ended: the token expired at "},
		{in("old"), agent.Transient, "/old: the token expired at "},
		{in("blank"), agent.Broken, "/blank: it holds nothing"},
		{in("two"), agent.Broken, "/two: it holds more than one line"},
		{in("words"), agent.Broken, "/words: it holds more than one word"},
		{in("json"), agent.Broken, "/json: it holds JSON"},
		{in("quoted"), agent.Broken, "/quoted: it holds a token in quotes"},
		{in("large"), agent.Broken, "/large: it is larger than 128 KiB"},
		{dir, agent.Broken, "it is not a regular file"},
		{os.DevNull, agent.Broken, "it is not a regular file"},
		{"token", agent.Broken, "token: it is not named by an absolute path"},
	} {
		f := &File{Path: tt.path, Lifetime: time.Hour, Now: func() time.Time { return noon }}
		m, err := f.Next(t.Context(), agent.Occasion{})
		wantError(t, m, err, tt.class, filepath.FromSlash(tt.why))
	}
	if os.Getuid() > 0 && runtime.GOOS != "windows" { // root may read anything
		if err := os.Chmod(in("old"), 0); err != nil {
			t.Fatal(err)
		}
		m, err := (&File{Path: in("old")}).Next(t.Context(), agent.Occasion{})
		wantError(t, m, err, agent.Broken, "it may not be read")
	}
}

// A projected is a volume as kubelet makes it: token -> ..data/token, where
// ..data is a link to a folder that is never changed.
type projected struct {
	t   *testing.T
	dir string
}

func (p projected) swap(version, token string) {
	p.t.Helper()
	if err := os.Mkdir(filepath.Join(p.dir, version), 0o700); err != nil {
		p.t.Fatal(err)
	}
	write(p.t, filepath.Join(p.dir, version, "token"), token, noon)
	next := filepath.Join(p.dir, "..data_tmp")
	if err := os.Symlink(version, next); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Rename(next, filepath.Join(p.dir, "..data")); err != nil {
		p.t.Fatal(err)
	}
}

// A watch is the folder's watcher, in the hands of a test.
type watch struct {
	dir   string
	event func()
}

// begin returns a file that is watched, and what ends that.
func (p projected) begin(f *File, changed func()) (watch, func()) {
	started, ended := make(chan watch, 1), make(chan struct{})
	f.WatchFolder = func(_ context.Context, dir string, event func()) { started <- watch{dir, event} }
	ctx, cancel := context.WithCancel(p.t.Context())
	go func() {
		defer close(ended)
		f.Watch(ctx, changed)
	}()
	return <-started, func() {
		select {
		case <-ended:
			p.t.Error("the watch ended by itself")
		default:
		}
		cancel()
		<-ended
	}
}

func TestFileWatch(t *testing.T) {
	t.Parallel()
	p := projected{t, t.TempDir()}
	p.swap("..2026_1", "one-s3cr3t")
	path := filepath.Join(p.dir, "token")
	if err := os.Symlink(filepath.Join("..data", "token"), path); err != nil {
		t.Fatal(err)
	}
	f := &File{Path: path}
	next := func(want string) {
		t.Helper()
		if m, err := f.Next(t.Context(), agent.Occasion{}); err != nil || m.Secret.Reveal() != want {
			t.Errorf("%+v, %v", m, err)
		}
	}
	calls := 0
	changed := func() { calls++ }
	want := func(n int, what string) {
		t.Helper()
		if calls != n {
			t.Errorf("%s: changed was called %d times, want %d", what, calls, n)
		}
	}
	next("one-s3cr3t")
	p.swap("..2026_2", "two-s3cr3t")
	w, end := p.begin(f, changed)
	if w.dir != p.dir {
		t.Errorf("watches %s", w.dir)
	}
	want(1, "a change before the watch began")
	w.event()
	want(1, "nothing is new")
	next("two-s3cr3t")
	p.swap("..2026_3", "two-s3cr3t\n")
	w.event()
	want(1, "the same token in another file")
	p.swap("..2026_4", "four-s3cr3t")
	w.event()
	want(2, "a new token")
	w.event()
	want(2, "once is enough")
	p.swap("..2026_5", "")
	w.event()
	want(2, "nothing can be read")
	p.swap("..2026_6", "six-s3cr3t")
	next("six-s3cr3t")
	w.event()
	want(2, "the new token has been given already")
	end()
}

func TestFileWatchAlone(t *testing.T) {
	t.Parallel()
	f := &File{Path: filepath.Join(t.TempDir(), "token")}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f.Watch(ctx, func() { t.Error("called") }) // nobody watches folders: it only waits

	// What is there when the watch begins is not new.
	write(t, f.Path, "s3cr3t", noon)
	_, end := projected{t, ""}.begin(f, func() { t.Error("called") })
	end()
	if f.Kind() != "file" {
		t.Errorf("kind %q", f.Kind())
	}
}
