package arena

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// undumped keeps memory out of core dumps. The agent has none written, but for a
// kernel that was told to dump everything (fs.suid_dumpable).
func undumped(memory []byte) error {
	if err := unix.Madvise(memory, unix.MADV_DONTDUMP); err != nil {
		return fmt.Errorf("keep out of core dumps: %w", err)
	}
	return nil
}
