package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/cwagent/cwagent/agent"
)

// nativeLimit: go-keyring hands one command line of 4,096 bytes to security(1),
// with the value in base64.
const nativeLimit = 2900

const nativeIs = "the login keychain of macOS"

// platformAnswer reads the exit code of security(1), the low byte of an
// OSStatus.
func platformAnswer(err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return agent.ErrAbsent // it cannot be run
	}
	switch exit.ExitCode() {
	case 36: // -25308, errSecInteractionNotAllowed: locked, and nobody at the screen, as over ssh
		return agent.ErrLocked
	case 37, 50, 53: // -25307 no default keychain, -25294 no such keychain, -25291 not available
		return agent.ErrAbsent
	}
	return agent.ErrRefused // 51, -25293: wrong password; 128: a person said no
}

// unlock has security(1) unlock the default keychain. It asks at the terminal, and
// in a desktop session in a window: here is neither a password nor an argument.
func unlock(ctx context.Context) error {
	if security(ctx, "show-keychain-info").Run() == nil {
		return nil // it is open
	}
	err := security(ctx, "unlock-keychain").Run()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%w: nobody answered its prompt", agent.ErrLocked)
	}
	return nativeAnswer(err)
}

func security(ctx context.Context, verb string) *exec.Cmd {
	c := exec.CommandContext(ctx, "/usr/bin/security", verb)
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) } // it turns the terminal's echo on again
	c.WaitDelay = time.Second
	return c
}
