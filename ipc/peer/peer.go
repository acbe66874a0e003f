// Package peer tells who is at the other end of a Unix socket: the user id, the
// process, its parent, and since when those have been running. Pids are reused,
// so a process is its pid and its start time together. [Look] tells what one runs.
//
// It reads kernel facts only and trusts nothing that the peer says. It is a
// leaf: the plugin links it.
package peer

import (
	"context"
	"errors"
	"syscall"
)

// A Process is one run of one program. Start is in the kernel's own unit since
// boot or epoch (Linux: clock ticks since boot; macOS: microseconds since the
// epoch): it is for comparing, not for showing. Comparable.
type Process struct {
	PID   int
	Start uint64
}

// A Peer is the process that connected, and under which user id.
type Peer struct {
	UID uint32
	Process
	Parent Process // who waits for it; zero where that cannot be told
}

// ErrUnsupported is returned where the operating system cannot tell.
var ErrUnsupported = errors.New("peer credentials are not supported on this system")

var errOther = errors.New("look at process: its pid is another one's by now")

// UID returns the user id of the process at the other end of c.
func UID(c syscall.Conn) (uint32, error) {
	p, err := credentials(c)
	return p.UID, err
}

// Of returns the process at the other end of c. A peer that is gone already has
// Start 0: it asked, so it gets its answer, but it can be compared to nobody.
func Of(c syscall.Conn) (Peer, error) {
	p, err := credentials(c)
	if err != nil {
		return Peer{}, err
	}
	if start, ppid, err := stat(p.PID); err == nil {
		p.Start = start
		p.Parent = parent(ppid, start)
	}
	return p, nil
}

// parent returns the process of a pid that was just now the parent of one that
// began at start. It may have ended since, and its pid may be in use again: no
// process is younger than its children, those that it has adopted included. The
// kernel's pid 0 stands for a parent that cannot be seen from here.
func parent(pid int, start uint64) Process {
	if pid <= 0 {
		return Process{}
	}
	began, _, err := stat(pid)
	if err != nil || began > start {
		return Process{}
	}
	return Process{PID: pid, Start: began}
}

// StartTime returns when the process began, in the unit of [Process].
func StartTime(pid int) (uint64, error) {
	start, _, err := stat(pid)
	return start, err
}

// control runs f on the descriptor of c.
func control(c syscall.Conn, f func(fd int) error) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var ferr error
	if err := raw.Control(func(fd uintptr) { ferr = f(int(fd)) }); err != nil {
		return err
	}
	return ferr
}

type key struct{}

// NewContext returns a ctx that carries p.
func NewContext(ctx context.Context, p Peer) context.Context {
	return context.WithValue(ctx, key{}, p)
}

// FromContext returns the peer of the request that ctx belongs to.
func FromContext(ctx context.Context) (Peer, bool) {
	p, ok := ctx.Value(key{}).(Peer)
	return p, ok
}
