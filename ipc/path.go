package ipc

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
)

// SocketName is the name of the socket within its folder.
const SocketName = "agent.sock"

// SocketPath returns where the agent listens, the first that applies of
//
//	$CWAGENT_SOCKET
//	~/Library/Application Support/cwagent/agent.sock   (macOS)
//	$XDG_RUNTIME_DIR/cwagent/agent.sock                unless that is another user's
//	/run/user/UID/cwagent/agent.sock                   if that folder is ours
//	/tmp/cwagent-UID/agent.sock
//
// It only names the path; [PrivateDir] judges the folder. getenv is os.Getenv.
func SocketPath(getenv func(string) string) (string, error) {
	return socketPath(runtime.GOOS, getenv)
}

func socketPath(goos string, getenv func(string) string) (string, error) {
	if p := getenv("CWAGENT_SOCKET"); p != "" {
		if !filepath.IsAbs(p) {
			return "", &Error{CodeInvalid, "CWAGENT_SOCKET: " + p + " is not an absolute path", "write it from the root on, or leave it out"}
		}
		return p, checkLength(p)
	}
	dir, err := socketDir(goos, getenv)
	if err != nil {
		return "", err
	}
	p := filepath.Join(dir, SocketName)
	return p, checkLength(p)
}

func socketDir(goos string, getenv func(string) string) (string, error) {
	if goos == "darwin" {
		home := getenv("HOME")
		if !filepath.IsAbs(home) {
			return "", &Error{CodeInvalid, "socket path: HOME is not set to an absolute path", "set HOME, or CWAGENT_SOCKET"}
		}
		return filepath.Join(home, "Library", "Application Support", "cwagent"), nil
	}
	if dir := RuntimeDir(getenv); dir != "" {
		return filepath.Join(dir, "cwagent"), nil
	}
	return userDir(), nil
}

// RuntimeDir is XDG_RUNTIME_DIR, or nothing where that is of no use: as the XDG
// specification has it, a relative path, or a folder of another user's. su and sudo
// leave such a one.
func RuntimeDir(getenv func(string) string) string {
	dir := getenv("XDG_RUNTIME_DIR")
	if !filepath.IsAbs(dir) {
		return ""
	}
	if info, err := os.Stat(dir); err == nil && !owned(info) {
		return ""
	}
	return dir
}

// TempDir names the folder of last resort, which [PrivateDir] makes and judges:
// in /tmp anybody may have been there first.
func TempDir() string { return "/tmp/cwagent-" + strconv.Itoa(os.Getuid()) }

// maxSocketPath is the longest path that fits into sun_path beside its final
// NUL: 108 bytes on Linux, 104 on macOS and the BSDs.
func maxSocketPath() int {
	if runtime.GOOS == "linux" {
		return 107
	}
	return 103
}

func checkLength(p string) error {
	if n, limit := len(p), maxSocketPath(); n > limit {
		return &Error{
			Code: CodeInvalid,
			What: "socket path: " + p + " has " + strconv.Itoa(n) + " bytes, this system allows " + strconv.Itoa(limit),
			Hint: "set CWAGENT_SOCKET to a shorter path",
		}
	}
	return nil
}

// PrivateDir makes dir with mode 0700, or checks one that exists: it must be a
// folder, no symbolic link, ours, and closed to everybody else. The parent
// must exist. The mode is given to mkdir, never set afterwards: there is no
// moment at which somebody else could enter.
func PrivateDir(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return checkPrivate(dir)
}

func checkPrivate(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return errors.New("folder " + dir + " is a symbolic link")
	case !info.IsDir():
		return errors.New(dir + " is not a folder")
	case !owned(info):
		return errors.New("folder " + dir + " belongs to another user")
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return errors.New("folder " + dir + " is open to other users (mode " + strconv.FormatUint(uint64(info.Mode().Perm()), 8) + ")")
	}
	return nil
}
