//go:build linux || darwin

package atomicfile

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// copyAttributes gives tmp the extended attributes of the file at path and takes
// away all others: access lists, and what people and programs noted there. Before
// Write has any contents it could disclose, because an access list may also
// forbid, and a folder may have given the new file one that the old one had not.
func copyAttributes(tmp *os.File, path string) error {
	names, _ := attributes(path) // none on that file system, or no file any more: Before tells
	if err := dropOthers(tmp, names); err != nil {
		return err
	}
	for _, name := range names {
		v, err := attribute(path, name)
		if errors.Is(err, unix.ENOENT) || errors.Is(err, noAttribute) {
			continue // removed meanwhile
		}
		if err == nil {
			err = unix.Fsetxattr(int(tmp.Fd()), name, v, 0)
		}
		if err != nil && !systems(name) {
			return fmt.Errorf("extended attribute %s cannot be kept: %w", name, err)
		}
	}
	return nil
}

// dropOthers removes the attributes of tmp that are not among names.
func dropOthers(tmp *os.File, names []string) error {
	fd := int(tmp.Fd())
	has, _ := list(func(b []byte) (int, error) { return unix.Flistxattr(fd, b) })
	for _, name := range has {
		if slices.Contains(names, name) || systems(name) {
			continue
		}
		if err := unix.Fremovexattr(fd, name); err != nil && !errors.Is(err, noAttribute) {
			return err
		}
	}
	return nil
}

// systems reports whether an attribute is the system's own. security.selinux and
// com.apple.provenance are set by the kernel for every new file, by the folder's
// and the program's rules, and a person may not set them; security.capability
// means nothing without the execute bit.
func systems(name string) bool {
	for _, prefix := range []string{"security.", "trusted.", "com.apple."} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// attributes returns the names of a file's.
func attributes(path string) ([]string, error) {
	return list(func(b []byte) (int, error) { return unix.Llistxattr(path, b) })
}

// list returns names. They may change between the question how long the list is
// and the question for the list.
func list(ask func([]byte) (int, error)) ([]string, error) {
	b, err := grow(ask)
	var names []string
	for name := range bytes.SplitSeq(b, []byte{0}) {
		if len(name) > 0 {
			names = append(names, string(name))
		}
	}
	return names, err
}

func attribute(path, name string) ([]byte, error) {
	return grow(func(b []byte) (int, error) { return unix.Lgetxattr(path, name, b) })
}

// grow asks with a larger buffer until it is large enough: 64 KiB is the most
// that Linux has.
func grow(ask func([]byte) (int, error)) ([]byte, error) {
	for size := 1 << 10; ; size *= 8 {
		b := make([]byte, size)
		n, err := ask(b)
		if errors.Is(err, unix.ERANGE) && size < 1<<20 {
			continue
		}
		if err != nil {
			return nil, err
		}
		return b[:n], nil
	}
}
