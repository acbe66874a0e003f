package control

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
)

const (
	socketName   = "control.sock"
	redirectName = "control.path"
	tempPattern  = "testbed-sock-"

	// A socket's path ends at 108 bytes on Linux and at 104 on the BSDs, the final zero included. This leaves 20 for
	// a name.
	longestFolder = 83
)

// SocketFolder is a folder of dir's owner whose path leaves room for a socket's name: dir itself, or a new one in the
// system's temporary folder, to which dir points from then on. RemoveLeftovers removes both.
func SocketFolder(dir string) (string, error) {
	if len(dir) <= longestFolder {
		return dir, nil
	}
	folder, err := os.MkdirTemp("", tempPattern)
	if err != nil {
		return "", fmt.Errorf("make socket folder: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, redirectName), []byte(folder), 0o600); err != nil {
		os.RemoveAll(folder)
		return "", fmt.Errorf("point to socket folder: %w", err)
	}
	return folder, nil
}

// RemoveLeftovers clears the sockets of a testbed that ends, or was killed. Call it only while no other one is up in
// dir.
func RemoveLeftovers(dir string) error {
	folder := socketFolderOf(dir)
	// Only what carries our own name is ours to remove: the pointer may be anybody's text by now.
	if folder != dir && strings.HasPrefix(filepath.Base(folder), tempPattern) {
		if err := os.RemoveAll(folder); err != nil {
			return fmt.Errorf("remove old socket folder: %w", err)
		}
	}
	for _, name := range []string{socketName, redirectName} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove leftover: %w", err)
		}
	}
	return nil
}

// Listen opens the control socket in a folder that SocketFolder gave.
func Listen(folder string) (net.Listener, error) {
	path := filepath.Join(folder, socketName)
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("listen for control: %w", err)
	}
	// The folder is 0700, so nobody else was there first.
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("close control socket to others: %w", err)
	}
	return l, nil
}

func socketFolderOf(dir string) string {
	if target, err := os.ReadFile(filepath.Join(dir, redirectName)); err == nil {
		return string(target)
	}
	return dir
}
