package rewritten

import (
	"errors"
	"io/fs"
	"os"
	"time"
)

// Begin notes that the tokens of a kubeconfig are about to be put back: text is
// what it will hold. The agent would take them out again.
func (f Folder) Begin(path string, text []byte) error {
	path = Path(path)
	return f.Update(func(files []File) ([]File, error) {
		i := Find(files, path)
		if i < 0 {
			i, files = len(files), append(files, File{Path: path})
		}
		files[i].Restoring = Sum(text)
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
		if now.Restoring = ""; at != nil {
			now.Restored = at
		}
		change(&now)
		if files[i] = now; !now.Imported() && now.Restored == nil {
			files = Without(files, path)
		}
		return files, nil
	})
}

// Restored reports whether the tokens of a kubeconfig are meant to be there: the
// person has put them back, and it was not imported again. Of a restore that has
// not come to its end the file itself tells whether it was written; that it was is
// noted, so that it still holds when others have edited it.
func (f Folder) Restored(path string, now time.Time) (bool, error) {
	files, err := f.Load()
	i := Find(files, Path(path))
	if err != nil || i < 0 || files[i].Restoring == "" {
		return i >= 0 && files[i].Restored != nil, err
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if err != nil || Sum(text) != files[i].Restoring {
		return files[i].Restored != nil, err
	}
	return true, f.Update(func(files []File) ([]File, error) {
		// It may have been imported again meanwhile.
		if i := Find(files, Path(path)); i >= 0 && files[i].Restoring == Sum(text) {
			at := now.UTC()
			files[i].Restoring, files[i].Restored = "", &at
		}
		return files, nil
	})
}
