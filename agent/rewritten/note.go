package rewritten

import (
	"os"
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

// Note notes that a kubeconfig, as it was read, is about to be rewritten to text.
// It is written before the file: a crash in between leaves a record that matches
// nothing, and the reverse would leave a file that nobody can restore. takeBack
// brings back what was noted before, for a file that could not be rewritten after
// all; where it was all the same, and something failed behind that, the note stays.
func (f Folder) Note(read *kubeconfig.File, text []byte, at time.Time, undo []kubeconfig.Undo) (takeBack func() error, err error) {
	return f.note(read, File{SHA256: Sum(text), At: at.UTC(), Users: undo})
}

// NoteMerge is Note for entries that are added to a kubeconfig: no token is taken
// out of it. One that is about to be made was read as nothing.
func (f Folder) NoteMerge(read *kubeconfig.File, text []byte, at time.Time, added []kubeconfig.Added) (takeBack func() error, err error) {
	return f.note(read, File{SHA256: Sum(text), At: at.UTC(), Merged: added})
}

func (f Folder) note(read *kubeconfig.File, now File) (takeBack func() error, err error) {
	now.Path = Path(read.Path)
	var before []File // at most one
	err = f.Update(func(files []File) ([]File, error) {
		if i := Find(files, now.Path); i >= 0 {
			before = []File{files[i]}
			now.follow(files[i], Sum(read.Text()))
		}
		return append(Without(files, now.Path), now), nil
	})
	return func() error {
		if text, err := os.ReadFile(now.Path); err == nil && Sum(text) == now.SHA256 {
			return nil
		}
		return f.Update(func(files []File) ([]File, error) {
			// Somebody else may have rewritten it meanwhile.
			if i := Find(files, now.Path); i >= 0 && files[i].SHA256 == now.SHA256 {
				files = append(Without(files, now.Path), before...)
			}
			return files, nil
		})
	}, err
}

// follow carries over what was noted before; sum is that of the text that is
// rewritten now. A token that is taken out of where it has come back may leave the
// text that the import before has left.
func (f *File) follow(old File, sum string) {
	f.Edited = old.Imported() && (old.Edited || old.SHA256 != sum && old.SHA256 != f.SHA256)
	f.Returned = slices.DeleteFunc(slices.Clone(old.Returned), func(t Returned) bool {
		return slices.ContainsFunc(f.Users, func(u kubeconfig.Undo) bool { return t.User == u.User || t.User == u.Was })
	})
	if len(f.Merged) > 0 || len(f.Returned) > 0 { // a merge takes no token out
		f.Restored = old.Restored
	}
	f.Users = append(without(old.Users, f.Users), f.Users...)
	f.Merged = append(slices.DeleteFunc(slices.Clone(old.Merged), func(a kubeconfig.Added) bool {
		return slices.ContainsFunc(f.Merged, func(b kubeconfig.Added) bool { return a.Kind == b.Kind && a.Name == b.Name })
	}), f.Merged...)
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
	} else if dir, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil { // it is about to be made
		path = filepath.Join(dir, filepath.Base(path))
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return path
}
