//go:build unix

package atomicfile

import (
	"io/fs"
	"os"
	"syscall"
)

// copyOwner gives tmp the owner and group of the old file where it has others:
// root may edit a person's file without taking it over, and a folder with the
// setgid bit gives new files its own group, which might not read the old one.
func copyOwner(tmp *os.File, old fs.FileInfo) error {
	info, err := tmp.Stat()
	if err != nil {
		return err
	}
	want, ok := old.Sys().(*syscall.Stat_t)
	has, ok2 := info.Sys().(*syscall.Stat_t)
	if !ok || !ok2 || want.Uid == has.Uid && want.Gid == has.Gid {
		return nil
	}
	return tmp.Chown(int(want.Uid), int(want.Gid))
}
