package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cwagent/cwagent/ipc/ipctest"
)

// What people and programs noted at a file stays there, however long it is.
func TestWriteKeepsAttributes(t *testing.T) {
	t.Parallel()
	path, info := place(t)
	want := map[string]string{"user.note": "mine", "user.empty": "", "user.long": strings.Repeat("x", 3000)}
	for name, v := range want {
		if err := unix.Lsetxattr(path, name, []byte(v), 0); errors.Is(err, unix.ENOTSUP) {
			ipctest.Skip(t, "no extended attributes in "+filepath.Dir(path))
		} else if err != nil {
			t.Fatal(err)
		}
	}
	switch err := unix.Lsetxattr(path, "system.posix_acl_access", acl(), 0); {
	case err == nil:
		want["system.posix_acl_access"] = string(acl())
		info, _ = os.Stat(path)
	case !errors.Is(err, unix.ENOTSUP):
		t.Fatal(err)
	}
	if err := Write(path, []byte("new"), Options{Mode: info.Mode().Perm(), Like: info}); err != nil {
		t.Fatal(err)
	}
	for name, v := range want {
		if got, err := attribute(path, name); err != nil || string(got) != v {
			t.Errorf("%s is %q, %v", name, got, err)
		}
	}
	if now, err := os.Stat(path); err != nil || now.Mode() != info.Mode() {
		t.Errorf("mode %v, %v, want %v", now.Mode(), err, info.Mode())
	}
	if names, err := attributes(path); err != nil || len(names) < len(want) {
		t.Errorf("%q, %v", names, err)
	}
}

// Where the file has none, or is gone, there is nothing to copy.
func TestWriteWithoutAttributes(t *testing.T) {
	t.Parallel()
	path, info := place(t)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, []byte("new"), Options{Mode: 0o600, Like: info}); err != nil {
		t.Error(err)
	}
	if names, err := attributes(path); err != nil || slices.ContainsFunc(names, func(n string) bool { return !systems(n) }) {
		t.Errorf("%q, %v", names, err)
	}
}

// A file has no name before its last moment: whoever looks into the folder while
// it is being written sees the old one alone.
func TestWriteUnnamed(t *testing.T) {
	t.Parallel()
	path, info := place(t)
	tmp, err := unnamed(filepath.Dir(path))
	if err != nil {
		ipctest.Skip(t, "no files without names in "+filepath.Dir(path))
	}
	tmp.discard()
	look := func() error {
		if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
			t.Errorf("%v, %v", left, err)
		}
		return nil
	}
	if err := Write(path, []byte("new"), Options{Mode: 0o600, Like: info, Before: look}); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); string(b) != "new" {
		t.Errorf("%q, %v", b, err)
	}
}
