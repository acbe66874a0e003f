package atomicfile

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// prefix of a temporary file's name. Who watches folders leaves out what begins
// with a dot.
const prefix = ".cwagent-"

// errNoName says that a file without a name cannot be made here, or not be given
// one later.
var errNoName = errors.New("files without names are not possible here")

// temporary is the file that will take the other's place. Its lock says that
// somebody is still at work on it, so that it is not swept away.
type temporary struct {
	*os.File
	name string // empty: it has none yet
}

// named makes a temporary file that has a name from the beginning.
func named(dir string) (*temporary, error) {
	f, err := os.CreateTemp(dir, prefix+"*")
	if err != nil {
		return nil, err
	}
	hold(f)
	return &temporary{f, f.Name()}, nil
}

// rename gives the file the name of the one that it replaces. The lock is held
// until then; all that close could tell has been told by sync.
func (t *temporary) rename(path string) error {
	if t.name == "" {
		name := filepath.Join(filepath.Dir(path), prefix+strconv.FormatUint(rand.Uint64(), 36))
		if err := link(t.File, name); err != nil {
			return errNoName
		}
		t.name = name
	}
	if closesFirst {
		if err := t.Close(); err != nil {
			return err
		}
	}
	return rename(t.name, path)
}

func (t *temporary) discard() {
	t.Close()
	if t.name != "" {
		os.Remove(t.name)
	}
}

// young is how old an empty temporary file has to be before it is removed: one
// that has just been made is not locked yet, and holds nothing.
const young = time.Hour

// Temporary reports whether a file of that name may be one that Write has left.
func Temporary(name string) bool { return strings.HasPrefix(name, prefix) }

// Sweep removes the temporary files that killed processes have left in a folder, and
// reports whether somebody is at work on another one. It is no error if it cannot:
// nothing depends on it.
func Sweep(dir string) (busy bool) {
	d, err := os.Open(dir)
	if err != nil {
		return false
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	for _, name := range names {
		if !Temporary(name) {
			continue
		}
		path := filepath.Join(dir, name)
		info, err := os.Lstat(path)
		if err != nil || !info.Mode().IsRegular() || info.Size() == 0 && time.Since(info.ModTime()) < young {
			continue
		}
		if abandoned(path) {
			os.Remove(path)
		} else {
			busy = true
		}
	}
	return busy
}
