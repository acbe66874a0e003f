package rewritten

import (
	"path/filepath"
	"slices"
	"time"

	"github.com/cwagent/cwagent/agent/kubeconfig"
	"github.com/cwagent/cwagent/agent/state"
)

// Turn makes its caller the only one that takes tokens out of kubeconfigs or puts
// them back, until done is called: between the moment in which a token is at the
// agent and that in which its file is rewritten, nobody else may take it for one
// that has come back. Do not ask a person anything meanwhile.
func (f Folder) Turn() (done func(), err error) {
	return f.turn().Lock()
}

// TryTurn is Turn for who has something else to do meanwhile: busy, if it is
// somebody else's.
func (f Folder) TryTurn() (done func(), busy bool, err error) { return f.turn().TryLock() }

func (f Folder) turn() state.File { return state.File{Dir: f.Dir, Name: "rewriting"} }

// Note notes that the kubeconfig at path is about to be rewritten to text. It is
// written before the file: a crash in between leaves a record that matches
// nothing, and the reverse would leave a file that nobody can restore. takeBack
// brings back what was noted before, for a file that could not be rewritten after
// all.
func (f Folder) Note(path string, text []byte, at time.Time, undo []kubeconfig.Undo) (takeBack func() error, err error) {
	path = Path(path)
	now := File{Path: path, SHA256: Sum(text), At: at.UTC(), Users: undo}
	var before []File // at most one
	err = f.Update(func(files []File) ([]File, error) {
		before = nil
		if i := Find(files, path); i >= 0 {
			before = []File{files[i]}
			now.Users = append(without(files[i].Users, undo), undo...)
		}
		return append(Without(files, path), now), nil
	})
	return func() error {
		return f.Update(func(files []File) ([]File, error) {
			// Somebody else may have rewritten it meanwhile.
			if i := Find(files, path); i >= 0 && files[i].SHA256 == now.SHA256 {
				files = append(Without(files, path), before...)
			}
			return files, nil
		})
	}, err
}

// Find returns the index of the file of that path, or -1.
func Find(files []File, path string) int {
	return slices.IndexFunc(files, func(f File) bool { return f.Path == path })
}

// Without returns the files but the one of that path.
func Without(files []File, path string) []File {
	return slices.DeleteFunc(slices.Clone(files), func(f File) bool { return f.Path == path })
}

// without returns those of all that are about other users than these.
func without(all, these []kubeconfig.Undo) []kubeconfig.Undo {
	return slices.DeleteFunc(slices.Clone(all), func(u kubeconfig.Undo) bool {
		return slices.ContainsFunc(these, func(t kubeconfig.Undo) bool { return t.User == u.User })
	})
}

// Path is how a record names a file: where it lies, whatever leads to it.
func Path(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return path
}
