package main

import (
	"errors"
	"io/fs"
	"os"

	"github.com/cwagent/cwagent/agent/atomicfile"
)

// remember notes what lies at the paths: a file, a link or nothing. It returns what
// puts that back, for a change that fails half-way.
func remember(paths ...string) (putBack func() error, err error) {
	var undo []func() error
	for _, path := range paths {
		if to, err := os.Readlink(path); err == nil {
			undo = append(undo, func() error { return errors.Join(remove(path), os.Symlink(to, path)) })
			continue
		}
		text, err := os.ReadFile(path)
		switch {
		case err == nil:
			undo = append(undo, func() error { return atomicfile.Write(path, text, atomicfile.Options{Mode: 0o644}) })
		case errors.Is(err, fs.ErrNotExist):
			undo = append(undo, func() error { return remove(path) })
		default:
			return nil, err
		}
	}
	return func() error {
		var all error
		for _, u := range undo {
			all = errors.Join(all, u())
		}
		return all
	}, nil
}

// remove removes a file. One that is not there is no error.
func remove(path string) error {
	_, err := removed(path)
	return err
}

// removed is remove, and reports whether there was one. It looks first: of a file system
// that is read-only unlink(2) says that even where there is nothing to remove.
func removed(path string) (was bool, err error) {
	if _, err = os.Lstat(path); err == nil {
		err = os.Remove(path)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
