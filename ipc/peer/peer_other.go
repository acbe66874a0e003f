//go:build !linux && !darwin

package peer

import "syscall"

func credentials(syscall.Conn) (Peer, error) { return Peer{}, ErrUnsupported }

func stat(int) (start uint64, ppid int, err error) { return 0, 0, ErrUnsupported }
