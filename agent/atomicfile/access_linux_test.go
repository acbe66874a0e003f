package atomicfile

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cwagent/cwagent/ipc/ipctest"
)

// An aclEntry is one of an access list: see acl(5) and the kernel's
// posix_acl_xattr.h.
type aclEntry struct {
	Tag, Perm uint16
	ID        uint32
}

const nobody = 0xffffffff // the id of entries that need none

// acl lets the user with the id 4711 read, beside owner and group.
func acl() []byte {
	b := binary.LittleEndian.AppendUint32(nil, 2) // the version
	for _, e := range []aclEntry{{1, 6, nobody}, {2, 4, 4711}, {4, 0, nobody}, {0x10, 4, nobody}, {0x20, 0, nobody}} {
		b = binary.LittleEndian.AppendUint16(b, e.Tag)
		b = binary.LittleEndian.AppendUint16(b, e.Perm)
		b = binary.LittleEndian.AppendUint32(b, e.ID)
	}
	return b
}

// replace writes the file anew in both ways and looks at it after each.
func replace(t *testing.T, path string, info fs.FileInfo, look func()) {
	t.Helper()
	for _, create := range []func(string) (*temporary, error){named, unnamed} {
		err := write(path, []byte("new"), Options{Mode: info.Mode().Perm(), Like: info}, create)
		if errors.Is(err, errNoName) {
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		look()
	}
}

// The list that a folder gives to new files lets others read a file that they
// might not read before.
func TestWriteWithoutFoldersList(t *testing.T) {
	t.Parallel()
	path, _ := place(t)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(path)
	if err := unix.Setxattr(dir, "system.posix_acl_default", acl(), 0); errors.Is(err, unix.ENOTSUP) {
		ipctest.Skip(t, "no access lists in "+dir)
	} else if err != nil {
		t.Fatal(err)
	}
	replace(t, path, info, func() {
		if list, err := attribute(path, "system.posix_acl_access"); !errors.Is(err, noAttribute) {
			t.Errorf("the new file has the list %q, %v", list, err)
		}
		if now, err := os.Stat(path); err != nil || now.Mode() != info.Mode() {
			t.Errorf("mode %v, %v", now.Mode(), err)
		}
	})
}

// A folder with the setgid bit gives new files its own group, which may not have
// been the old one's.
func TestWriteKeepsGroup(t *testing.T) {
	t.Parallel()
	ipctest.NeedRoot(t)
	path, _ := place(t)
	dir := filepath.Dir(path)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, -1, 1234); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755|fs.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	replace(t, path, info, func() {
		var st syscall.Stat_t
		if err := syscall.Stat(path, &st); err != nil || st.Gid != info.Sys().(*syscall.Stat_t).Gid || st.Mode&0o777 != 0o640 {
			t.Errorf("group %d, mode %o, %v", st.Gid, st.Mode, err)
		}
	})
}
