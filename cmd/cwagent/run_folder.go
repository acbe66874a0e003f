package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/cwagent/cwagent/agent/atomicfile"
	"github.com/cwagent/cwagent/ipc"
)

// A runFolder is where the kubeconfig of a program lies while that runs: a folder
// beside the agent's socket, because kubectl and the like write a lock, and the next
// version, beside it. It is locked, so that one whose cwagent was killed is known by
// having no lock any more, and the next run takes it away.
type runFolder struct {
	dir  string
	lock *os.File // nil where folders cannot be locked
}

// runPrefix begins the names of these folders, and digits end them. A socket may lie
// where a person has folders, too: none of theirs is called that.
const runPrefix = ".cwagent-run-"

// runFolder makes one, and takes those away that nobody has any more.
func (c *cli) runFolder() (*runFolder, error) {
	socket, err := ipc.SocketPath(c.getenv)
	if err != nil {
		return nil, err
	}
	beside := filepath.Dir(socket)
	broken := func(err error) error {
		return fail("look at that folder, which is the socket's", "run: a place for the kubeconfig: %v", err)
	}
	if err := ipc.PrivateDir(beside); err != nil {
		return nil, broken(err)
	}
	sweepRunFolders(beside)
	for {
		dir, err := os.MkdirTemp(beside, runPrefix)
		if err != nil {
			return nil, broken(err)
		}
		var lock *os.File
		if err = os.Chmod(dir, 0o700); err == nil { // whatever the umask is
			lock, err = lockRunFolder(dir)
		}
		switch {
		case err == nil:
			return &runFolder{dir, lock}, nil
		case errors.Is(err, errRunFolderTaken), errors.Is(err, fs.ErrNotExist):
			continue // a sweep came between
		}
		os.RemoveAll(dir)
		return nil, broken(err)
	}
}

// errRunFolderTaken is for a folder that somebody else has locked, or taken away.
var errRunFolderTaken = errors.New("locked by another process")

// write puts the kubeconfig there, and returns its path.
func (f *runFolder) write(text []byte) (string, error) {
	path := filepath.Join(f.dir, "config")
	if err := atomicfile.Write(path, text, atomicfile.Options{Mode: 0o600}); err != nil {
		return "", fail("look at that folder, which is the socket's", "run: no kubeconfig can be written below %s: %v", filepath.Dir(f.dir), err)
	}
	return path, nil
}

// remove takes the folder away, with what the program has put there.
func (f *runFolder) remove() {
	os.RemoveAll(f.dir)
	if f.lock != nil {
		f.lock.Close()
	}
}
