package rewritten

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"
)

// Begin notes that these tokens of a kubeconfig are about to be put back: text is
// what it will hold. The agent would take them out again.
func (f Folder) Begin(path string, text []byte, tokens []Returned) error {
	path = Path(path)
	return f.Update(func(files []File) ([]File, error) {
		i := Find(files, path)
		if i < 0 {
			i, files = len(files), append(files, File{Path: path})
		}
		files[i].Restoring, files[i].Returning = Sum(text), tokens
		return files, nil
	})
}

// Finish notes that the tokens are back, since at; nil: they could not be put
// there. change is what else becomes of the record.
func (f Folder) Finish(path string, at *time.Time, change func(*File)) error {
	path = Path(path)
	return f.Update(func(files []File) ([]File, error) {
		i := Find(files, path)
		if i < 0 {
			return files, nil
		}
		now := files[i]
		now.finish(at)
		change(&now)
		if files[i] = now; !now.Imported() && now.Restored == nil {
			files = Without(files, path)
		}
		return files, nil
	})
}

// finish ends a restore, which has put the tokens back at that time; nil: it has
// not.
func (f *File) finish(at *time.Time) {
	if at != nil {
		again := func(t Returned) bool {
			return slices.ContainsFunc(f.Returning, func(u Returned) bool { return u.User == t.User })
		}
		f.Restored, f.Returned = at, append(slices.DeleteFunc(slices.Clone(f.Returned), again), f.Returning...)
	}
	f.Restoring, f.Returning = "", nil
}

// Record returns what is noted about a kubeconfig; without a path where nothing is.
// Of a restore that has not come to its end the file itself tells whether it was
// written; that it was is noted, so that it still holds when others have edited it.
func (f Folder) Record(path string, now time.Time) (File, error) {
	files, err := f.Load()
	i := Find(files, Path(path))
	if err != nil || i < 0 {
		return File{}, err
	}
	if files[i].Restoring == "" {
		return files[i], nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil || Sum(text) != files[i].Restoring {
		return files[i], err
	}
	at := now.UTC()
	files[i].finish(&at)
	return files[i], f.Update(func(files []File) ([]File, error) {
		// It may have been imported again meanwhile.
		if i := Find(files, Path(path)); i >= 0 && files[i].Restoring == Sum(text) {
			files[i].finish(&at)
		}
		return files, nil
	})
}
