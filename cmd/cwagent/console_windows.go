package main

import (
	"os"

	"golang.org/x/sys/windows"
)

// resizes receives nothing: Windows has no signal for it, and the next second finds the
// new size.
func resizes() (resized <-chan os.Signal, stop func()) { return nil, func() {} }

// understands has a console obey escape sequences, which it shows as text otherwise, and
// reports whether it does.
func understands(f *os.File) bool {
	var mode uint32
	if windows.GetConsoleMode(windows.Handle(f.Fd()), &mode) != nil {
		return false
	}
	return windows.SetConsoleMode(windows.Handle(f.Fd()), mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
}
