//go:build unix

package state

import (
	"io/fs"
	"os"
	"syscall"
)

func ours(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}

func writable(info fs.FileInfo) bool { return info.Mode()&0o022 != 0 }
