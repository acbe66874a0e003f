package arena

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"
)

// reserve returns size bytes of memory, whole pages, that are zero. short says what
// of the protection there is not.
func reserve(size int) (memory []byte, short, err error) {
	at, err := windows.VirtualAlloc(0, uintptr(size), windows.MEM_COMMIT|windows.MEM_RESERVE, windows.PAGE_READWRITE)
	if err != nil {
		return nil, nil, fmt.Errorf("map %d bytes: %w", size, err)
	}
	if err := windows.VirtualLock(at, uintptr(size)); err != nil {
		short = fmt.Errorf("lock %d bytes: %w", size, err)
	}
	// vet wants no pointer made of a number; this one the system made.
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&at)), size), short, nil
}

// release gives memory back that reserve gave.
func release(memory []byte) {
	_ = windows.VirtualFree(uintptr(unsafe.Pointer(&memory[0])), 0, windows.MEM_RELEASE)
}
