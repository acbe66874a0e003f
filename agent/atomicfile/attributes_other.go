//go:build !linux && !darwin

package atomicfile

import "os"

// copyAttributes has nothing to do: Windows' streams are not ours to copy, and
// the BSDs' attributes are root's.
func copyAttributes(*os.File, string) error { return nil }
