package main

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Exit codes of who starts programs for others, as POSIX has them for sh and env.
const (
	exitNotExecutable = 126
	exitNotFound      = 127
)

// A runnable is a program and what it is started with.
type runnable struct {
	path string
	argv []string
	env  []string
}

// errNotFound is for a program that is nowhere.
var errNotFound = errors.New("not found")

// lookProgram finds a program as a shell does: what has a slash is a path, all else
// is looked for in PATH.
func lookProgram(name string) (string, error) {
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path, nil
	case errors.Is(err, exec.ErrDot):
		return "", errors.Join(errNotFound, err)
	case !errors.Is(err, exec.ErrNotFound):
		return "", err
	}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && info.Mode().IsRegular() {
			return "", fs.ErrPermission
		}
	}
	return "", errNotFound
}

// notStarted says why a program was not started, with the exit code that shells and
// env(1) have for that.
func (c *cli) notStarted(name string, err error) error {
	if _, is := err.(exitCode); is || err == nil {
		return err // it was started, and has ended
	}
	code, why, hint := exitNotExecutable, "", "look at its mode and at its first line"
	switch {
	case errors.Is(err, exec.ErrDot):
		code, why, hint = exitNotFound, "it is in the current folder only", "name it ."+string(filepath.Separator)+name
	case errors.Is(err, errNotFound):
		code, why, hint = exitNotFound, "not found in PATH", "install it, or name its path"
	case errors.Is(err, fs.ErrNotExist):
		code, why, hint = exitNotFound, "no such file, or none of the name in its first line", "name an installed program"
	}
	reason := err
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		reason = p.Err
	} else if e := (*exec.Error)(nil); errors.As(err, &e) {
		reason = e.Err
	}
	c.report(fail(strings.ReplaceAll(hint, name, shownWord(name)), "run: %s: %s", shownWord(name), cmp.Or(why, reason.Error())))
	return exitCode(code)
}
