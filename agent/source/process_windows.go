package source

import (
	"errors"
	"os/exec"
	"syscall"
)

const nonblock = 0 // there are no FIFOs

// apart runs cmd without a console to ask at. Its children are not killed with
// it: that would take a job object.
func apart(cmd *exec.Cmd) {
	const noWindow = 0x08000000 // CREATE_NO_WINDOW
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: syscall.CREATE_NEW_PROCESS_GROUP | noWindow, HideWindow: true}
}

// notProgram reports whether Windows did not know how to run the file.
func notProgram(err error) bool {
	const badExeFormat = syscall.Errno(193) // ERROR_BAD_EXE_FORMAT
	return errors.Is(err, badExeFormat)
}
