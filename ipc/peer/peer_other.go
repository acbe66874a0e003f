//go:build !linux && !darwin

package peer

import "syscall"

func credentials(syscall.Conn) (Peer, error) { return Peer{}, ErrUnsupported }

// StartTime is not known on this system.
func StartTime(int) (uint64, error) { return 0, ErrUnsupported }
