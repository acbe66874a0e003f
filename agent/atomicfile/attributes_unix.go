//go:build linux || darwin

package atomicfile

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// copyAttributes gives tmp the extended attributes of the file at path: access
// lists and what people and programs noted there. Before Write has any contents
// it could disclose, because an access list may also forbid.
func copyAttributes(tmp *os.File, path string) error {
	names, err := attributes(path)
	if err != nil {
		return nil // no attributes on that file system, or no file any more: Before tells
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

// attributes returns the names. They may change between the question how long
// the list is and the question for the list.
func attributes(path string) ([]string, error) {
	b, err := grow(func(b []byte) (int, error) { return unix.Llistxattr(path, b) })
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
