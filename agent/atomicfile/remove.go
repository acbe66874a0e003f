package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Remove removes the file at path for good: a loss of power does not bring it back.
// One that is not there is no error.
func Remove(path string) error {
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		syncDir(filepath.Dir(path))
	}
	return cause(err)
}
