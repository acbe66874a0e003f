package absorb_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent/absorb"
	"github.com/cwagent/cwagent/ipc"
)

// A download becomes the successor of the credential that serves its servers, and
// keeps its contexts.
func TestDownload(t *testing.T) {
	t.Parallel()
	for _, rest := range []string{"prod", "prod (1)", "prod.txt", "prod.yaml", "prod (2).yaml"} {
		t.Run(rest, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.run()
			path := w.download("3f9a1c7e", rest)
			w.write(path, written("token", second, prod))
			t.Logf("%v", w.absorbed(path, "prod"))
			w.token("prod", second)
			if c := w.credential("prod"); c.ID != "cwtoken-3f9a1c7e" || c.Created == nil || time.Since(*c.Created) > time.Minute {
				t.Errorf("%+v", c)
			}
			if text := read(path); !strings.Contains(text, "current-context: c0") || !strings.Contains(text, "name: cw-prod") {
				t.Errorf("%s", text)
			}
			if files, err := w.state.Load(); err != nil || len(files) != 1 || files[0].Path != path {
				t.Errorf("%+v, %v", files, err)
			}
		})
	}
}

// What a browser has not finished yet is none of our business.
func TestUnfinished(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run()
	path := w.download("3f9a1c7e", "prod")
	for _, ext := range []string{".part", ".crdownload"} {
		must(t, os.WriteFile(path+ext, []byte(written("token", second, prod)), 0o600))
	}
	must(t, os.WriteFile(path, nil, 0o600)) // Firefox holds the name so
	marker := w.download("00000001", "marker")
	w.write(marker, written("token", third, dev))
	w.left(marker, "no credential")
	for _, x := range w.watcher.Watched() {
		if strings.HasSuffix(x.Path, "part") || strings.HasSuffix(x.Path, "crdownload") || x.Path == path && x.State != ipc.WatchQuiet {
			t.Errorf("%+v", x)
		}
	}
	w.token("prod", first)
	must(t, os.Rename(path+".crdownload", path))
	w.absorbed(path, "prod")
}

func TestConsent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	must(t, os.Remove(filepath.Join(w.state.Dir, "consent.json")))
	w.run()
	path := w.download("3f9a1c7e", "prod")
	w.write(path, written("token", second, prod))
	w.left(path, "nobody has agreed yet")
	w.agrees(false)
	w.left(path, "it was not agreed")
	if n := w.oracle.count(second); n != 0 {
		t.Errorf("asked %d times", n)
	}
	w.agrees(true)
	w.absorbed(path, "prod")
	w.token("prod", second)
}

func TestConsentFile(t *testing.T) {
	t.Parallel()
	c := absorb.Consent{Dir: filepath.Join(t.TempDir(), "a", "state")}
	want := func(agreed, asked bool) {
		t.Helper()
		if a, b, err := c.Load(); a != agreed || b != asked || err != nil {
			t.Errorf("%v, %v, %v", a, b, err)
		}
	}
	want(false, false)
	for _, yes := range []bool{true, false} {
		must(t, c.Save(yes))
		want(yes, true)
	}
	path := filepath.Join(c.Dir, "consent.json")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	must(t, os.WriteFile(path, []byte("{"), 0o600))
	if a, _, err := c.Load(); err == nil || a {
		t.Errorf("a broken file: %v, %v", a, err)
	}
}

// Of two downloads the newer one has the last word, and one that lay there before
// the credential's token was made is left.
func TestOlder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old, a, b := w.download("00000001", "old"), w.download("0000000b", "a"), w.download("0000000a", "b")
	const fourth = "CW-SECRET-fourth-fourth"
	w.oracle.set(fourth, alive("org", "me"))
	w.write(old, written("token", fourth, prod))
	must(t, os.Chtimes(old, time.Time{}, time.Now().Add(-time.Hour)))
	w.write(b, written("token", third, prod))
	must(t, os.Chtimes(b, time.Time{}, time.Now().Add(2*time.Second)))
	w.write(a, written("token", second, prod))
	must(t, os.Chtimes(a, time.Time{}, time.Now().Add(time.Second)))
	w.run()
	w.absorbed(a, "prod")
	w.absorbed(b, "prod")
	w.token("prod", third)
	w.left(old, "which seems to be the newer one")
}

// A file may bear the public id of a token that gave way and have another one.
func TestSameID(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.must(ipc.AddRequest{Name: "prod", Secret: ipc.NewSecret(second), ID: "cwtoken-0000000a", Expiry: ipc.ExpiryNever, Replace: true})
	w.run()
	path := w.download("0000000a", "prod")
	w.write(path, written("token", third, prod))
	w.left(path, "another token of that public id")
	w.token("prod", second)
}

// The name of a file that was rewritten is not that of the token that came later.
func TestNameOfAnother(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run()
	path := w.download("3f9a1c7e", "prod")
	w.write(path, written("token", second, prod))
	w.absorbed(path, "prod")
	if c := w.credential("prod"); c.ID != "cwtoken-3f9a1c7e" {
		t.Errorf("%+v", c)
	}
	w.write(path, written("token", third, prod))
	w.absorbed(path, "prod")
	w.token("prod", third)
	if c := w.credential("prod"); c.ID != "" || c.Created != nil {
		t.Errorf("%+v", c)
	}
}

// 500 files at once, some of which count.
func TestMany(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run()
	var matching []string
	for i := range 500 {
		path := filepath.Join(w.home, "Downloads", fmt.Sprintf("photo-%d.jpg", i))
		if i%100 == 0 {
			path = w.download(fmt.Sprintf("%08x", i), "prod")
			matching = append(matching, path)
			token := fmt.Sprintf("CW-SECRET-number-%d-number", i)
			w.oracle.set(token, alive("org", "me"))
			w.write(path, written("token", token, prod))
			continue
		}
		w.write(path, written("token", second, prod))
	}
	start := time.Now()
	for _, path := range matching {
		w.absorbed(path, "prod")
	}
	t.Logf("%d of 500: %v", len(matching), time.Since(start))
	if n := w.oracle.count(second); n != 0 {
		t.Errorf("a photo was looked into")
	}
	for _, x := range w.watcher.Watched() {
		if strings.Contains(x.Path, "photo") {
			t.Errorf("%+v", x)
		}
	}
}

// The folder comes, goes and comes again.
func TestFolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := filepath.Join(w.home, "Downloads")
	must(t, os.Remove(dir))
	must(t, os.Remove(filepath.Dir(w.config)))
	w.run()
	state := func(want ipc.WatchState) {
		t.Helper()
		w.eventually(string(want), func() bool { return w.stateOf(dir) == want })
	}
	state(ipc.WatchMissing)
	if x, _ := w.watch(w.config); x.State != ipc.WatchMissing {
		t.Errorf("%+v", x)
	}
	for i, token := range []string{second, third} {
		must(t, os.Mkdir(dir, 0o700))
		path := w.download(fmt.Sprintf("0000000%d", i), "prod")
		w.write(path, written("token", token, prod))
		w.absorbed(path, "prod")
		w.token("prod", token)
		state(ipc.WatchQuiet)
		must(t, os.RemoveAll(dir))
		state(ipc.WatchMissing)
	}
	must(t, os.Mkdir(filepath.Dir(w.config), 0o700))
	w.write(w.config, written("me", third, prod))
	w.absorbed(w.config, "prod")
}
