package watch

import (
	"maps"
	"os"
	"path/filepath"
	"time"
)

// fine is how long after a change of a folder its time may be the same after
// another one: FAT counts in 2 seconds, HFS+ in one.
const fine = 3 * time.Second

// A snapshot is what a folder looked like. The zero one is of no folder.
type snapshot struct {
	taken  time.Time
	folder time.Time // the modification time of the folder: names come and go
	files  map[string]stamp
}

// A stamp is what tells two states of a file apart.
type stamp struct {
	size     int64
	modified int64
	mode     os.FileMode
}

// take looks at the files that count. It reads the folder only if that has
// changed since before: a network folder costs a round trip for each part of it.
func take(dir string, counts func(string) bool, before snapshot) snapshot {
	info, err := os.Stat(dir)
	if err != nil {
		return snapshot{}
	}
	s := snapshot{taken: time.Now(), folder: info.ModTime(), files: map[string]stamp{}}
	if before.files != nil && s.folder.Equal(before.folder) && before.taken.Sub(s.folder) > fine {
		for name := range before.files {
			s.add(dir, name)
		}
		return s
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return snapshot{}
	}
	for _, e := range entries {
		if counts(e.Name()) {
			s.add(dir, e.Name())
		}
	}
	return s
}

func (s snapshot) add(dir, name string) {
	path := filepath.Join(dir, name)
	info, err := os.Stat(path) // of what a link leads to: that is what is read
	if err != nil {
		if info, err = os.Lstat(path); err != nil {
			return
		}
	}
	s.files[name] = stamp{info.Size(), info.ModTime().UnixNano(), info.Mode()}
}

// equal leaves the folder's own time out: it tells of names that do not count.
func (s snapshot) equal(other snapshot) bool {
	return (s.files == nil) == (other.files == nil) && maps.Equal(s.files, other.files)
}
