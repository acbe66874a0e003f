// Package atomicfile is the one way in which cwagent writes a file: a temporary
// file in the same folder, mode and owner set before there are contents, synced,
// renamed over the old one, the folder synced. A crash at any moment leaves the
// old file or the new one, whole.
package atomicfile

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Options of a Write.
type Options struct {
	Mode fs.FileMode // of the new file; given before it has contents

	// Like, if not nil, is the file whose owner and group the new one gets.
	Like fs.FileInfo

	// Before, if not nil, is asked at the last moment before the rename; its
	// error is returned as it is and leaves the old file.
	Before func() error
}

// Write replaces the file at path by data. path is not followed if it is a
// symbolic link: resolve it first. On error the old file is as it was, and no
// temporary file is left.
func Write(path string, data []byte, o Options) error {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, ".cwagent-*")
	if err != nil {
		return fmt.Errorf("make temporary file: %w", err)
	}
	defer os.Remove(tmp.Name()) // after the rename there is nothing to remove
	err = fill(tmp, data, o)
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil && o.Before != nil {
		err = o.Before()
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err == nil {
		err = syncDir(dir)
	}
	return err
}

// fill gives the temporary file its mode and owner before it gets contents.
func fill(tmp *os.File, data []byte, o Options) error {
	if err := tmp.Chmod(o.Mode); err != nil {
		return err
	}
	if o.Like != nil {
		if err := copyOwner(tmp, o.Like); err != nil {
			return err
		}
	}
	if _, err := tmp.Write(data); err != nil {
		return err
	}
	return tmp.Sync()
}

// syncDir makes a rename durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
