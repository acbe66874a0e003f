package server

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// probeTimeout is how long an agent that holds the socket has to accept. It
// only has to accept, and the kernel does that for it unless its queue is full.
const probeTimeout = time.Second

// A Listener is the agent's socket together with the lock that makes it the
// only one there.
type Listener struct {
	*net.UnixListener
	path string
	lock *os.File    // nil: not taken yet
	mine fs.FileInfo // the socket as we made it, or found it
	kept bool        // by a service manager, to whom it belongs
	left bool        // to the program that this one executes
	once sync.Once
}

// Listen makes the socket at path, mode 0600 in a folder of mode 0700. A second
// agent is refused; a socket that nobody serves any more is replaced.
func Listen(path string) (*Listener, error) {
	if err := privateDir(path); err != nil {
		return nil, err
	}
	lock, err := acquire(lockPath(path))
	if err != nil {
		return nil, err
	}
	l, err := bind(path, lock)
	if err != nil {
		lock.Close()
		return nil, err
	}
	return l, nil
}

func bind(path string, lock *os.File) (*Listener, error) {
	if err := clearStale(path); err != nil {
		return nil, err
	}
	// The mode is in force from bind on: chmod afterwards would leave a gap.
	// The umask belongs to the whole process, which at this point is starting.
	old := umask(0o177)
	ul, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	umask(old)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	// Go would remove whatever is at path when we close; Close looks first.
	ul.SetUnlinkOnClose(false)
	mine, err := os.Lstat(path)
	if err != nil {
		ul.Close()
		return nil, fmt.Errorf("listen on %s: %w", path, err)
	}
	return &Listener{UnixListener: ul, path: path, lock: lock, mine: mine}, nil
}

// clearStale removes a socket that nobody serves. We hold the lock, so no other
// agent of this version can appear between the probe and the removal; one that
// ignores the lock could, and would lose its path.
func clearStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at socket: %w", err)
	}
	if info.Mode()&fs.ModeSocket == 0 {
		return &ipc.Error{
			Code: ipc.CodeInvalid,
			What: "socket: " + path + " exists and is not a socket",
			Hint: "move it away, or set CWAGENT_SOCKET",
		}
	}
	conn, err := net.DialTimeout("unix", path, probeTimeout)
	if err == nil {
		conn.Close()
		return running(path, "")
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return fmt.Errorf("probe socket: %w", err)
	}
	return os.Remove(path)
}

// acquire takes the lock file, which is never removed: removing one opens a
// race in which two processes each hold "the" lock.
func acquire(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	err = tryLock(f)
	if errors.Is(err, errLocked) {
		holder, _ := os.ReadFile(path)
		f.Close()
		return nil, running(strings.TrimSuffix(path, ".lock"), strings.TrimSpace(string(holder)))
	}
	if err == nil {
		err = f.Truncate(0)
	}
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f, nil
}

func running(path, pid string) error {
	what := "agent: another agent serves " + path
	if pid != "" {
		what += " (pid " + pid + ")"
	}
	return &ipc.Error{Code: ipc.CodeExists, What: what, Hint: "cwagent status shows it"}
}

// Close stops listening, removes the socket if it is still ours, and lets the
// next agent in. A second call does nothing: by then the inode, by which we know
// our socket, may be another agent's.
func (l *Listener) Close() error {
	var err error
	l.once.Do(func() {
		if !l.kept && !l.left && l.Ours() {
			os.Remove(l.path)
		}
		err = l.UnixListener.Close()
		if l.lock != nil && !l.left {
			l.lock.Close()
		}
	})
	return err
}
