package atomicfile

import (
	"io/fs"
	"os"
)

// copyOwner has nothing to do: files inherit their folder's access list.
func copyOwner(*os.File, fs.FileInfo) error { return nil }
