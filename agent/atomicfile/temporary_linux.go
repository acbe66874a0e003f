package atomicfile

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// unnamed makes a file that vanishes with the process. Not every file system has
// them, and giving one a name takes /proc.
func unnamed(dir string) (*temporary, error) {
	f, err := os.OpenFile(dir, os.O_RDWR|unix.O_TMPFILE, 0o600)
	if err != nil {
		return nil, errNoName
	}
	if unix.Access(inProc(f), unix.F_OK) != nil {
		f.Close()
		return nil, errNoName
	}
	hold(f)
	return &temporary{f, ""}, nil
}

// link gives an unnamed file a name. It cannot take the place of another one in
// the same stroke: linkat(2) never replaces.
func link(f *os.File, name string) error {
	return unix.Linkat(unix.AT_FDCWD, inProc(f), unix.AT_FDCWD, name, unix.AT_SYMLINK_FOLLOW)
}

func inProc(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }
