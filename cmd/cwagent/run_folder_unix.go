//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// lockRunFolder locks a folder for as long as this process, or one that has inherited
// the descriptor, has it open.
func lockRunFolder(dir string) (*os.File, error) {
	f, err := os.OpenFile(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if os.IsNotExist(err) {
		return nil, errRunFolderTaken
	}
	if err != nil {
		return nil, err
	}
	if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err == unix.EWOULDBLOCK {
		err = errRunFolderTaken
	}
	if _, gone := os.Lstat(dir); err == nil && gone != nil {
		err = errRunFolderTaken // between the open and the lock
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// sweepRunFolders takes away those whose programs have ended and whose cwagent could
// not do it: it was killed.
func sweepRunFolders(beside string) {
	all, _ := os.ReadDir(beside)
	for _, e := range all {
		number, ours := strings.CutPrefix(e.Name(), runPrefix)
		if !ours || number == "" || strings.Trim(number, "0123456789") != "" {
			continue
		}
		dir := filepath.Join(beside, e.Name())
		if f, err := lockRunFolder(dir); err == nil {
			os.RemoveAll(dir)
			f.Close()
		}
	}
}
