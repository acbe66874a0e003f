package config

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

// A followed is a Follow whose folder is watched by hand.
type followed struct {
	t       *testing.T
	dir     string
	path    string
	watched sync.Map // "changed" of the folders that are watched
	applied []string // what apply was given: a store, or an error
}

// follow runs scene while the config in an empty folder is followed.
func follow(t *testing.T, scene func(f *followed)) {
	t.Helper()
	f := &followed{t: t, dir: t.TempDir()}
	f.path = filepath.Join(f.dir, "config.yaml")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		watch := func(ctx context.Context, dir string, changed func()) {
			f.watched.Store(dir, changed)
			defer f.watched.Delete(dir)
			changed()
			<-ctx.Done()
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			Follow(ctx, f.path, watch, func(c Config, err error) {
				if err != nil {
					f.applied = append(f.applied, err.Error())
					return
				}
				f.applied = append(f.applied, string(c.Store))
			})
		}()
		synctest.Wait()
		scene(f)
		cancel()
		<-done
		f.wantWatched()
	})
}

// wantWatched says which folders are watched.
func (f *followed) wantWatched(dirs ...string) {
	f.t.Helper()
	f.watched.Range(func(dir, _ any) bool {
		if !slices.Contains(dirs, dir.(string)) {
			f.t.Errorf("%s is watched", dir)
		}
		return true
	})
	for _, dir := range dirs {
		if _, ok := f.watched.Load(dir); !ok {
			f.t.Errorf("%s is not watched", dir)
		}
	}
}

// write writes a file beside the config and renames it over name, as editors do.
func (f *followed) write(name, text string) {
	f.t.Helper()
	tmp := filepath.Join(f.dir, ".tmp")
	if err := os.WriteFile(tmp, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Rename(tmp, filepath.Join(f.dir, name)); err != nil {
		f.t.Fatal(err)
	}
}

// want says that the config's folder has changed, and what is applied because
// of it.
func (f *followed) want(what string, applied ...string) {
	f.t.Helper()
	f.wantIn(f.dir, what, applied...)
}

func (f *followed) wantIn(dir, what string, applied ...string) {
	f.t.Helper()
	f.applied = nil
	changed, ok := f.watched.Load(dir)
	if !ok {
		f.t.Fatalf("%s: %s is not watched", what, dir)
	}
	changed.(func())()
	changed.(func())() // a watcher may say it twice
	synctest.Wait()
	if len(f.applied) != len(applied) || len(applied) > 0 && f.applied[0] != applied[0] {
		f.t.Errorf("%s: applied %q, want %q", what, f.applied, applied)
	}
}

func TestFollow(t *testing.T) {
	t.Parallel()
	follow(t, func(f *followed) {
		if len(f.applied) != 1 || f.applied[0] != "auto" {
			t.Errorf("at its start: %q", f.applied)
		}
		f.want("nothing changed")
		f.write("other", "x")
		f.want("another file")
		f.write("config.yaml", "store: memory\n")
		f.want("created", "memory")
		f.write("config.yaml", "store: keyring\n")
		f.want("replaced", "keyring")
		f.write("config.yaml", "store: keyring # still\n")
		f.want("the same in other words")
		broken := "config " + f.path + `: line 1: unknown key "stroe"`
		f.write("config.yaml", "stroe: memory\n")
		f.want("broken", broken)
		f.write("other", "y")
		f.want("still broken")
		f.write("config.yaml", "store: keyring\n")
		f.want("mended", "keyring")
		if err := os.WriteFile(f.path, []byte("store: memory\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		f.want("written in place", "memory")
		if err := os.Remove(f.path); err != nil {
			t.Fatal(err)
		}
		f.want("deleted", "auto")
		f.want("still deleted")
		f.write("config.yaml", "store: memory\n")
		f.want("created again", "memory")
	})
}

func TestFollowMode(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("no modes there")
	}
	follow(t, func(f *followed) {
		f.write("config.yaml", "store: memory\n")
		f.want("created", "memory")
		for _, step := range []struct {
			mode os.FileMode
			want string
		}{
			{0o666, "config " + f.path + ": others may write it, and it says where tokens are sent"},
			{0o600, "memory"},
		} {
			if err := os.Chmod(f.path, step.mode); err != nil {
				t.Fatal(err)
			}
			f.want(step.mode.String(), step.want)
		}
	})
}

// TestFollowCA: a certificate authority beside the config is part of it.
func TestFollowCA(t *testing.T) {
	t.Parallel()
	follow(t, func(f *followed) {
		f.write("config.yaml", "credentials: [{name: a, servers: [{url: https://a, caFile: ca.pem}]}]\n")
		f.want("without a CA", "config "+f.path+": line 1: servers.caFile: there is no such file")
		writeCA(t, filepath.Join(f.dir, "ca.pem"))
		f.want("with a CA", "auto")
		f.want("the same CA")
		writeCA(t, filepath.Join(f.dir, "another"))
		if err := os.Rename(filepath.Join(f.dir, "another"), filepath.Join(f.dir, "ca.pem")); err != nil {
			t.Fatal(err)
		}
		f.want("another CA", "auto")
	})
}

// TestFollowLink: dotfiles often lie elsewhere, and are edited there.
func TestFollowLink(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege there")
	}
	follow(t, func(f *followed) {
		root, err := filepath.EvalSymlinks(f.dir)
		if err != nil {
			t.Fatal(err)
		}
		first, second := filepath.Join(root, "first"), filepath.Join(root, "second")
		for dir, text := range map[string]string{first: "store: memory\n", second: "store: auto\n"} {
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "x.yaml"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		link := func(to string) {
			os.Remove(f.path)
			if err := os.Symlink(to, f.path); err != nil {
				t.Fatal(err)
			}
		}
		f.wantWatched(f.dir)
		link(filepath.Join("first", "x.yaml"))
		f.want("linked", "memory")
		f.wantWatched(f.dir, first)
		f.write(filepath.Join("first", "x.yaml"), "store: keyring\n")
		f.wantIn(first, "edited where it lies", "keyring")
		link(filepath.Join(second, "x.yaml"))
		f.want("linked elsewhere", "auto")
		f.wantWatched(f.dir, second)
		link("nowhere")
		f.want("linked to nothing")
		f.wantWatched(f.dir)
		os.Remove(f.path)
		f.write("config.yaml", "store: memory\n")
		f.want("a file again", "memory")
		f.wantWatched(f.dir)
	})
}

// TestFollowWhileApplying: what changes during apply is not missed.
func TestFollowWhileApplying(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "config.yaml")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var applied []Store
		ready := make(chan func(), 1)
		watch := func(ctx context.Context, _ string, changed func()) {
			ready <- changed
			<-ctx.Done()
		}
		Follow(ctx, path, watch, func(c Config, err error) {
			if applied = append(applied, c.Store); err != nil {
				t.Error(err)
			}
			if len(applied) == 2 {
				cancel()
				return
			}
			if err := os.WriteFile(path, []byte("store: memory\n"), 0o600); err != nil {
				t.Error(err)
			}
			(<-ready)()
		})
		if len(applied) != 2 || applied[0] != StoreAuto || applied[1] != StoreMemory {
			t.Errorf("applied %v", applied)
		}
	})
}
