package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/cwagent/cwagent/agent/lazyregexp"
)

// fileName is what a file of a machine is called; one that was moved away has the
// time of that in it.
var fileName = lazyregexp.New(`^audit-(.+?)(-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3})?\.jsonl$`)

// IsLog reports whether a file of the state folder is one of these, by its name.
func IsLog(name string) bool { return fileName().MatchString(name) }

// Hosts returns the machines that have files in the folder dir, sorted. One that is
// not there has none.
func Hosts(dir string) ([]string, error) {
	files, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read state folder: %w", err)
	}
	var hosts []string
	for _, f := range files {
		if m := fileName().FindStringSubmatch(f.Name()); m != nil {
			hosts = append(hosts, m[1])
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts), nil
}

// An Item is what a Reader finds: a record, or a line that is none.
type Item struct {
	Record  Record
	Line    []byte // as it is in the file; valid until the next one
	Damaged bool   // it cannot be read; Record is the zero one
	Missing uint64 // records that should stand before it and do not
}

// A Reader reads what one machine has written into the folder Dir, the oldest first.
type Reader struct {
	Dir, Host string

	begun   bool     // the files that were moved away have been read
	file    *os.File // that is written to, as far as is known
	rest    []byte   // of it, without its end
	last    uint64   // number of the last record; 0: there was none
	damaged uint64   // lines since then
}

func (r *Reader) path() string { return filepath.Join(r.Dir, "audit-"+r.Host+".jsonl") }

// Read calls each for all that is there, and when it is called again for what has
// come since. The writer may move its file away meanwhile.
func (r *Reader) Read(each func(Item)) error {
	if r.file == nil {
		if err := r.open(); err != nil {
			return err
		}
	}
	if !r.begun {
		r.begun = true
		if err := r.readOlder(each); err != nil {
			return err
		}
	}
	for r.file != nil {
		// First, or what is written between the two would be missed.
		gone := r.gone()
		if err := r.lines(r.file, each); err != nil {
			return err
		}
		if !gone {
			return nil
		}
		r.finish(each)
		r.Close()
		if err := r.open(); err != nil {
			return err
		}
	}
	return nil
}

// End calls each for what has come without the end of its line.
func (r *Reader) End(each func(Item)) { r.finish(each) }

// Close closes the file.
func (r *Reader) Close() {
	if r.file != nil {
		r.file.Close() // nothing was written to it
		r.file = nil
	}
}

// open opens the file that is written to, if there is one.
func (r *Reader) open() error {
	f, err := os.Open(r.path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read audit log: %w", err)
	}
	r.file = f
	return nil
}

// gone reports whether the open file is no longer the one that is written to, or has
// been cut.
func (r *Reader) gone() bool {
	now, err := os.Stat(r.path())
	open, err2 := r.file.Stat()
	if err != nil || err2 != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	at, err := r.file.Seek(0, io.SeekCurrent)
	return !os.SameFile(now, open) || err == nil && open.Size() < at
}

// readOlder reads the files that were moved away, but the open one, if that has been
// meanwhile.
func (r *Reader) readOlder(each func(Item)) error {
	files, err := os.ReadDir(r.Dir) // sorted, and so by time
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("read audit log: %w", err)
	}
	for _, is := range files {
		m := fileName().FindStringSubmatch(is.Name())
		if m == nil || m[1] != r.Host || m[2] == "" {
			continue
		}
		if err := r.readFile(filepath.Join(r.Dir, is.Name()), each); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reader) readFile(path string, each func(Item)) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // too old, by now
	}
	if err != nil {
		return fmt.Errorf("read audit log: %w", err)
	}
	defer f.Close()
	if r.file != nil && sameFile(f, r.file) {
		return nil
	}
	defer r.finish(each)
	return r.lines(f, each)
}

func sameFile(a, b *os.File) bool {
	x, err := a.Stat()
	y, err2 := b.Stat()
	return err == nil && err2 == nil && os.SameFile(x, y)
}

// lines reads f to its end.
func (r *Reader) lines(f *os.File, each func(Item)) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := f.Read(buf)
		r.rest = append(r.rest, buf[:n]...)
		for {
			line, rest, whole := bytes.Cut(r.rest, []byte("\n"))
			if !whole {
				break
			}
			r.line(line, each)
			r.rest = rest
		}
		r.rest = bytes.Clone(r.rest) // or what has been read is kept
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read audit log: %w", err)
		}
	}
}

// finish is for what nobody will write the end of.
func (r *Reader) finish(each func(Item)) {
	if len(r.rest) > 0 {
		r.line(r.rest, each)
		r.rest = nil
	}
}

// line finds out what a line is, and what is missing before it.
func (r *Reader) line(b []byte, each func(Item)) {
	rec, err := Parse(b)
	if err != nil || rec.Seq == 0 {
		r.damaged++
		each(Item{Line: b, Damaged: true})
		return
	}
	i := Item{Record: rec, Line: bytes.TrimSpace(b)}
	switch {
	case r.last == 0 || rec.Seq == 1: // the oldest that is kept; or an agent began
	case rec.Seq > r.last:
		i.Missing = rec.Seq - r.last - 1
	default: // an agent began
		i.Missing = rec.Seq - 1
	}
	i.Missing -= min(i.Missing, r.damaged) // of those it is said already
	r.last, r.damaged = rec.Seq, 0
	each(i)
}
