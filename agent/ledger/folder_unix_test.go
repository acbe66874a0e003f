//go:build unix

package ledger

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc/ipctest"
)

// A folder in which another user could put a file is not read and not written.
func TestFolder(t *testing.T) {
	t.Parallel()
	mkdir := func(mode fs.FileMode) func(string) error {
		return func(dir string) error {
			_ = os.Mkdir(dir, 0o700)
			return os.Chmod(dir, mode)
		}
	}
	for name, c := range map[string]struct {
		want string // in the error; empty: taken
		make func(dir string) error
	}{
		"ours":              {"", mkdir(0o700)},
		"others may look":   {"", mkdir(0o755)},
		"the group writes":  {"other users may write to it (mode 770)", mkdir(0o770)},
		"the others write":  {"other users may write to it (mode 702)", mkdir(0o702)},
		"sticky, like /tmp": {"other users may write to it (mode 777)", mkdir(0o777 | fs.ModeSticky)},
		"a file":            {"not a folder", func(dir string) error { return os.WriteFile(dir, nil, 0o600) }},
		"a link":            {"symbolic link", func(dir string) error { return os.Symlink(t.TempDir(), dir) }},
	} {
		f := &File{Dir: filepath.Join(t.TempDir(), "state")}
		if err := c.make(f.Dir); err != nil {
			t.Fatal(err)
		}
		judge(t, name, f, c.want)
	}
}

func TestFolderOfAnother(t *testing.T) {
	t.Parallel()
	ipctest.NeedRoot(t)
	f := &File{Dir: t.TempDir()}
	if err := os.Chown(f.Dir, ipctest.Nobody, ipctest.Nobody); err != nil {
		t.Fatal(err)
	}
	judge(t, "another's", f, "belongs to another user")
}

func judge(t *testing.T, name string, f *File, want string) {
	t.Helper()
	_, loadErr := f.Load()
	saveErr := f.Save(agent.Book{})
	for _, err := range []error{loadErr, saveErr} {
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	if want == "" && f.Missing() {
		t.Errorf("%s: missing", name)
	}
}
