package main

import (
	"context"
	"io/fs"
	"os"
	"os/exec"

	"github.com/cwagent/cwagent/ipc"
)

// passphrase asks for one that exists: at the terminal, from a pipe, or by pinentry
// where there is a screen and neither of these.
func (c *cli) passphrase(ctx context.Context, what string) (ipc.Secret, error) {
	if terminal(c.in) || piped(c.in) {
		return c.readSecret(ctx, what)
	}
	if program := c.pinentry(); program != "" {
		return askPinentry(ctx, program, what)
	}
	return ipc.Secret{}, fail("run it at a terminal, or pipe the passphrase into it", "unlock: it wants the %s, and there is nobody to ask", what)
}

// piped reports whether something comes from there: what a desktop starts has the null
// device.
func piped(in any) bool {
	f, ok := in.(*os.File)
	if !ok {
		return true
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&fs.ModeCharDevice == 0
}

// pinentry is the program that asks for passphrases on the screen, if there is one.
func (c *cli) pinentry() string {
	if c.getenv("DISPLAY") == "" && c.getenv("WAYLAND_DISPLAY") == "" {
		return ""
	}
	program, err := exec.LookPath("pinentry")
	if err != nil {
		return ""
	}
	return program
}
