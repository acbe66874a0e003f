package credplugin

import (
	"errors"
	"os"
)

func openRead(string) (*os.File, error) { return nil, errors.ErrUnsupported }

// openLocked is not there on Windows: each run prints its line.
func openLocked(string) (*os.File, error) { return nil, errors.ErrUnsupported }
