//go:build unix

package ipc_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/ipctest"
)

// The mode is mkdir's own: neither a wide nor a usual umask changes it. Not
// parallel: the umask is the whole process's.
func TestPrivateDirMakes(t *testing.T) {
	for _, mask := range []int{0, 0o022, 0o077} {
		dir := filepath.Join(t.TempDir(), "cwagent")
		old := syscall.Umask(mask)
		err := ipc.PrivateDir(dir)
		syscall.Umask(old)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Lstat(dir); err != nil || info.Mode() != fs.ModeDir|0o700 {
			t.Errorf("umask %03o: %v, %v", mask, info, err)
		}
		if err := ipc.PrivateDir(dir); err != nil {
			t.Errorf("a second time: %v", err)
		}
	}
}

func TestPrivateDirRefuses(t *testing.T) {
	t.Parallel()
	mkdir := func(mode fs.FileMode) func(string) error {
		return func(dir string) error {
			if err := os.Mkdir(dir, 0o700); err != nil {
				return err
			}
			return os.Chmod(dir, mode)
		}
	}
	for _, c := range []struct {
		name, want string
		make       func(dir string) error
	}{
		{"open to all", "is open to other users (mode 755)", mkdir(0o755)},
		{"open to the group", "is open to other users (mode 740)", mkdir(0o740)},
		{"to be entered by others", "is open to other users (mode 701)", mkdir(0o701)},
		{"sticky, like /tmp", "is open to other users (mode 777)", mkdir(0o777 | fs.ModeSticky)},
		{"a file", "is not a folder", func(dir string) error { return os.WriteFile(dir, nil, 0o600) }},
		{"a link to a good folder", "is a symbolic link", func(dir string) error {
			good := dir + "-good"
			if err := os.Mkdir(good, 0o700); err != nil {
				return err
			}
			return os.Symlink(good, dir)
		}},
		{"a link to nothing", "is a symbolic link", func(dir string) error { return os.Symlink("nowhere", dir) }},
	} {
		dir := filepath.Join(t.TempDir(), "cwagent")
		if err := c.make(dir); err != nil {
			t.Fatal(err)
		}
		before, _ := os.Lstat(dir)
		if err := ipc.PrivateDir(dir); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", c.name, err)
		}
		if after, err := os.Lstat(dir); err != nil || after.Mode() != before.Mode() {
			t.Errorf("%s: it was changed to %v (%v)", c.name, after, err)
		}
	}
	if err := ipc.PrivateDir(filepath.Join(t.TempDir(), "a", "b")); err == nil {
		t.Error("a parent was made as well, with whose mode?")
	}
}

func TestPrivateDirOfAnother(t *testing.T) {
	t.Parallel()
	ipctest.NeedRoot(t)
	dir := filepath.Join(t.TempDir(), "cwagent")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, ipctest.Nobody, ipctest.Nobody); err != nil {
		t.Fatal(err)
	}
	if err := ipc.PrivateDir(dir); err == nil || !strings.Contains(err.Error(), "belongs to another user") {
		t.Errorf("root accepts it: %v", err)
	}
}
