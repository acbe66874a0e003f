package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// discardInput drops what has been typed or pasted and not yet read.
func discardInput(f *os.File) { _ = unix.IoctlSetInt(int(f.Fd()), unix.TCFLSH, unix.TCIFLUSH) }
