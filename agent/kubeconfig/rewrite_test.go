package kubeconfig

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cwagent/cwagent/ipc/ipctest"
)

// edited is what the tests below make of a file: it has to be in the end, with
// what others wrote meanwhile.
func edited(f *File) ([]byte, error) {
	text, _, err := f.Edit([]Change{{Exec: Exec{"/usr/bin/cwagent-credential", "prod"}}})
	return text, err
}

// Somebody else's words are never lost: the file is read again and edited again.
func TestRewriteAgain(t *testing.T) {
	t.Parallel()
	for _, times := range []int{0, 1, attempts - 1, attempts} {
		path, text := place(t, 0o600)
		n, others := 0, ""
		err := Rewrite(path, func(f *File) ([]byte, error) {
			if n++; n <= times {
				others += fmt.Sprintf("# %d\n", n)
				if err := os.WriteFile(path, []byte(text+others), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			return edited(f)
		})
		if times == attempts {
			if got := refusal(t, err); !strings.Contains(got, "it has changed while") || n != attempts {
				t.Errorf("after %d attempts: %s", n, got)
			}
			wantText(t, path, text+others)
			continue
		}
		if err != nil || n != times+1 {
			t.Errorf("after %d attempts: %v", n, err)
		}
		if b, _ := os.ReadFile(path); !strings.HasSuffix(string(b), others) || strings.Contains(string(b), secret) {
			t.Errorf("it holds %q", b)
		}
		wantFiles(t, filepath.Dir(path), "config")
	}
}

// An error of the edit is the caller's, and what is not changed is not written.
func TestRewriteNothing(t *testing.T) {
	t.Parallel()
	path, text := place(t, 0o600)
	before, _ := os.Stat(path)
	no := errors.New("no")
	if err := Rewrite(path, func(*File) ([]byte, error) { return nil, no }); err != no {
		t.Errorf("%v, want the error as it is", err)
	}
	if err := Rewrite(path, func(f *File) ([]byte, error) { return f.text, nil }); err != nil {
		t.Error(err)
	}
	wantText(t, path, text)
	if after, _ := os.Stat(path); !os.SameFile(before, after) {
		t.Error("it was written")
	}
	refusal(t, Rewrite(filepath.Join(path, "none"), edited))
}

// Whoever was given the target of a link takes another lock than who was given
// the link: both are honoured, and given back.
func TestRewriteLocks(t *testing.T) {
	t.Parallel()
	target, text := place(t, 0o600)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(target, link); err != nil {
		ipctest.Skip(t, "no symbolic links here: "+err.Error())
	}
	for _, held := range []string{target, link} {
		lock := held + ".lock"
		if err := os.WriteFile(lock, nil, 0); err != nil {
			t.Fatal(err)
		}
		if got := refusal(t, Rewrite(link, edited)); !strings.Contains(got, "kubectl's lock "+lock+" stands in the way") || !strings.Contains(got, "remove the lock") {
			t.Error(got)
		}
		if err := os.Remove(lock); err != nil {
			t.Fatal(err)
		}
		wantText(t, target, text)
	}
	if err := Rewrite(link, edited); err != nil {
		t.Error(err)
	}
	wantFiles(t, filepath.Dir(target), "config")
	wantFiles(t, filepath.Dir(link), "link")
}
