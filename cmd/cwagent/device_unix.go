//go:build unix

package main

import (
	"io/fs"
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
