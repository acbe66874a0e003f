//go:build unix

package main

import (
	"io/fs"
	"os"
	"syscall"
)

// device tells file systems apart.
func device(info fs.FileInfo) (uint64, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return uint64(st.Dev), true
}

// openNoWait opens a file for reading, and does not wait if it is a pipe.
func openNoWait(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}
