// Package atomicfile is the one way in which cwagent writes a file: a temporary
// file in the same folder, mode, owner and extended attributes set before there
// are contents, synced, renamed over the old one, the folder synced. A crash at
// any moment leaves the old file or the new one, whole.
//
// A temporary file may hold a secret. On Linux it has no name until the moment
// before the rename, and vanishes with the process; elsewhere, and in that
// moment, a process that is killed leaves it. The next Write into that folder, and
// Sweep, remove what nobody holds any more.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Options of a Write.
type Options struct {
	Mode fs.FileMode // of the new file; given before it has contents

	// Like, if not nil, is the file that is replaced: the new one gets its
	// owner, group and extended attributes, and none that its folder would add.
	Like fs.FileInfo

	// Before, if not nil, is asked at the last moment before the rename; its
	// error is returned as it is and leaves the old file.
	Before func() error
}

// Write replaces the file at path by data. path is not followed if it is a
// symbolic link: resolve it first. On error the old file is as it was, and no
// temporary file is left; the error names no path.
func Write(path string, data []byte, o Options) error {
	Sweep(filepath.Dir(path))
	err := write(path, data, o, unnamed)
	if errors.Is(err, errNoName) {
		err = write(path, data, o, named)
	}
	return err
}

func write(path string, data []byte, o Options, create func(dir string) (*temporary, error)) error {
	dir := filepath.Dir(path)
	tmp, err := create(dir)
	if err != nil {
		return fmt.Errorf("no file can be made beside it: %w", cause(err))
	}
	defer tmp.discard() // after the rename there is nothing to remove
	err = fill(tmp.File, path, data, o)
	if err == nil && o.Before != nil {
		err = o.Before()
	}
	if err == nil {
		err = tmp.rename(path)
	}
	if err != nil {
		return cause(err)
	}
	syncDir(dir)
	return nil
}

// cause is an error of the file system without the paths, which name a file
// that a person has never heard of.
func cause(err error) error {
	var pe *fs.PathError
	var le *os.LinkError
	switch {
	case errors.As(err, &pe):
		return pe.Err
	case errors.As(err, &le):
		return le.Err
	}
	return err
}

// fill gives the temporary file its owner, attributes and mode before it gets
// contents: the mode last, since until then nobody else may open the file.
func fill(tmp *os.File, path string, data []byte, o Options) error {
	if o.Like != nil {
		if err := copyOwner(tmp, o.Like); err != nil {
			return err
		}
		if err := copyAttributes(tmp, path); err != nil {
			return err
		}
	}
	if err := tmp.Chmod(o.Mode); err != nil {
		return err
	}
	if _, err := tmp.Write(data); err != nil {
		return err
	}
	return tmp.Sync()
}

// syncDir makes a rename durable where that is possible: a folder need not be
// readable, and Windows cannot sync one. It is no error because the file is
// replaced by then: a caller that took it for failed would forget the token.
func syncDir(dir string) {
	if d, err := os.Open(dir); err == nil {
		_ = d.Sync()
		d.Close()
	}
}
