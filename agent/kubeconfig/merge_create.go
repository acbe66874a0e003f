package kubeconfig

import (
	"errors"
	"io/fs"
	"os"

	"github.com/cwagent/cwagent/agent/atomicfile"
	"github.com/cwagent/cwagent/ipc"
)

// Create makes a kubeconfig where there is none, under kubectl's lock: kubectl may
// be making it as well.
func Create(path string, text []byte) error {
	f := &File{Path: path}
	unlock, err := f.lockBeside(path)
	if err != nil {
		return err
	}
	defer unlock()
	err = atomicfile.Write(path, text, atomicfile.Options{Mode: 0o600, Before: func() error {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return &ipc.Error{Code: ipc.CodeChanged, What: path + ": somebody has made it meanwhile", Hint: "run the command again"}
		}
		return nil
	}})
	var ours *ipc.Error
	if err == nil || errors.As(err, &ours) {
		return err
	}
	return refuse(path, "write: "+err.Error(), "look at its folder and at the disk")
}
