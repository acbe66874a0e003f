//go:build unix

package arena

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// reserve returns size bytes of memory, whole pages, that are zero. short says what
// of the protection there is not.
func reserve(size int) (memory []byte, short, err error) {
	memory, err = unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, nil, fmt.Errorf("map %d bytes: %w", size, err)
	}
	short = undumped(memory)
	if err := unix.Mlock(memory); err != nil {
		short = errors.Join(short, fmt.Errorf("lock %d bytes: %w", size, err))
	}
	return memory, short, nil
}

// release gives memory back that reserve gave; an unmapped page is unlocked.
func release(memory []byte) { _ = unix.Munmap(memory) }
