package rewritten

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent/kubeconfig"
)

// A world is one kubeconfig and the state folder.
type world struct {
	*testing.T
	Folder
	path string
}

func newWorld(t *testing.T) *world {
	dir := t.TempDir()
	return &world{t, Folder{filepath.Join(dir, "state")}, filepath.Join(dir, "config")}
}

func text(name string) string {
	return "kind: Config\nusers: [{name: " + name + ", user: {token: x}}]\n"
}

func (w *world) write(s string) *kubeconfig.File {
	w.Helper()
	w.must(os.WriteFile(w.path, []byte(s), 0o600))
	f, err := kubeconfig.Read(w.path)
	w.must(err)
	return f
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// rewrite notes the rewriting of a user, and does it.
func (w *world) rewrite(f *kubeconfig.File, to, user string) *kubeconfig.File {
	w.Helper()
	_, err := w.Note(f, []byte(text(to)), time.Now(), []kubeconfig.Undo{{User: user}})
	w.must(err)
	return w.write(text(to))
}

// only is what is noted.
func (w *world) only() File {
	w.Helper()
	files, err := w.Load()
	w.must(err)
	if len(files) != 1 {
		w.Fatalf("%d files: %+v", len(files), files)
	}
	return files[0]
}

// That somebody else has edited a file between two imports is not forgotten until
// it is restored.
func TestEdited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.rewrite(w.write(text("a")), "b", "1")
	if w.rewrite(f, "c", "2"); w.only().Edited {
		t.Error("two imports in a row: edited")
	}
	if w.rewrite(w.write(text("back")), "c", "2"); w.only().Edited {
		t.Error("as the import before has left it: edited")
	}
	f = w.rewrite(w.write(text("edited")), "d", "3")
	if !w.only().Edited {
		t.Error("an edit between two imports is not known")
	}
	if w.rewrite(f, "e", "4"); !w.only().Edited || len(w.only().Users) != 4 {
		t.Errorf("it is forgotten by the next: %+v", w.only())
	}
	now := time.Now()
	w.must(w.Finish(w.path, &now, func(f *File) { f.Users = nil }))
	if w.rewrite(w.write(text("a")), "b", "1"); w.only().Edited {
		t.Error("imported anew: edited")
	}
}

// takeBack brings back what was noted before, the edit too.
func TestTakeBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.rewrite(w.write(text("a")), "b", "1")
	back, err := w.Note(w.write(text("c")), []byte("d"), time.Now(), []kubeconfig.Undo{{User: "2"}})
	w.must(err)
	w.must(back())
	if f := w.only(); f.Edited || len(f.Users) != 1 || f.SHA256 != Sum([]byte(text("b"))) {
		t.Errorf("%+v", f)
	}
}

// A file that was written, after which something failed, keeps its note.
func TestTakeBackWritten(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	back, err := w.Note(w.write(text("a")), []byte(text("b")), time.Now(), []kubeconfig.Undo{{User: "1"}})
	w.must(err)
	w.write(text("b"))
	w.must(back())
	if f := w.only(); len(f.Users) != 1 {
		t.Errorf("%+v", f)
	}
}

// A merge is noted beside imports; tokens that were put back stay there.
func TestNoteMerge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.rewrite(w.write(text("a")), "b", "1")
	now := time.Now()
	w.must(w.Finish(w.path, &now, func(*File) {}))
	a, b := kubeconfig.Added{Kind: "user", Name: "a", SHA256: "1"}, kubeconfig.Added{Kind: "user", Name: "b", SHA256: "2"}
	_, err := w.NoteMerge(f, []byte(text("c")), now, []kubeconfig.Added{a})
	w.must(err)
	a.SHA256 = "3"
	_, err = w.NoteMerge(w.write(text("c")), []byte(text("d")), now, []kubeconfig.Added{a, b})
	w.must(err)
	if f := w.only(); f.Edited || f.Restored == nil || len(f.Users) != 1 || len(f.Merged) != 2 || f.Merged[0] != a {
		t.Errorf("%+v", f)
	}
	if w.rewrite(w.write(text("d")), "e", "2"); w.only().Restored != nil || len(w.only().Merged) != 2 {
		t.Errorf("after an import: %+v", w.only())
	}
}

// Of a restore that was killed the file tells whether it was written.
func TestRestoring(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	is := func(want bool, when string) {
		t.Helper()
		got, err := w.Record(w.path, time.Now())
		if token, is := got.PutBack("a"); is != want || err != nil || is && token.Label != "#1" {
			t.Errorf("%s: %+v, %v", when, got, err)
		}
		if _, is := got.PutBack("b"); is {
			t.Errorf("%s: b, too", when)
		}
	}
	is(false, "nothing is known")
	w.must(w.Begin(w.path, []byte(text("b")), []Returned{{"a", "#1"}}))
	is(false, "there is no file")
	w.write(text("a"))
	is(false, "before it is written")
	w.must(w.Finish(w.path, nil, func(*File) {}))
	if files, _ := w.Load(); len(files) != 0 {
		t.Errorf("what was taken back is still there: %+v", files)
	}
	w.must(w.Begin(w.path, []byte(text("b")), []Returned{{"a", "#1"}}))
	w.write(text("b"))
	is(true, "written")
	w.write(text("edited"))
	is(true, "edited after it was seen")
	w.rewrite(w.write(text("b")), "c", "b")
	is(true, "another user imported")
	w.rewrite(w.write(text("b")), "c", "a")
	is(false, "imported again")
	now := time.Now()
	w.must(w.Begin(w.path, []byte(text("d")), []Returned{{"a", "#2"}}))
	w.must(w.Finish(w.path, &now, func(*File) {}))
	w.must(w.Begin(w.path, []byte(text("d")), []Returned{{"a", "#1"}}))
	w.must(w.Finish(w.path, &now, func(*File) {}))
	is(true, "restored twice")
	if f := w.only(); len(f.Returned) != 1 || len(f.Returning) != 0 || f.Restoring != "" {
		t.Errorf("%+v", f)
	}
}

// Before form 3 it was not noted which tokens were put back.
func TestRestoredBefore(t *testing.T) {
	t.Parallel()
	now := time.Now()
	if token, is := (File{Restored: &now}).PutBack("a"); !is || token.Label != "" {
		t.Errorf("%+v, %v", token, is)
	}
}
