package credplugin

import (
	"hash/fnv"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/peer"
)

// remember is how long it is known what a parent has been told. kubectl makes
// its five runs within it even if each takes the full two seconds.
const remember = 10 * time.Second

// How long a lock is waited for, 50 ms in all: who holds it by right does so
// for less than one.
const (
	tries = 10
	pause = 5 * time.Millisecond
)

// told is the file that knows which parent processes have been told what. It
// lies in the socket's folder, or where that is not there or not fit for it, in
// ipc.TempDir. One line each:
//
//	PID START MILLISECONDS KIND HASH
//
// PID and START name the parent, MILLISECONDS is the wall clock, KIND is "hung"
// or "failed", HASH stands for the text. It holds no text: that may name hosts.
type told struct {
	paths  []string              // the first that can be used counts
	parent func() (string, bool) // "PID START"
	now    func() time.Time      // asked after the file: what is in it is not of the future
}

const (
	kindHung   = "hung"
	kindFailed = "failed"
)

func openTold(socket string, valid bool) told {
	t := told{parent: parent, now: time.Now}
	if valid {
		t.paths = append(t.paths, filepath.Join(filepath.Dir(socket), "told"))
	}
	t.paths = append(t.paths, filepath.Join(ipc.TempDir(), "told"))
	return t
}

func parent() (string, bool) {
	pid := os.Getppid()
	start, err := peer.StartTime(pid)
	return strconv.Itoa(pid) + " " + strconv.FormatUint(start, 10), err == nil
}

// hung reports whether this parent has just waited for an agent that does not
// answer: five times two seconds would be a hang. On the good path it costs two
// opens that find no file, or files without that word. It can lead to a silent
// failure, so it believes only a file that nobody else can have made.
func (t told) hung() bool {
	for _, path := range t.paths {
		if t.hungIn(path) {
			return true
		}
	}
	return false
}

func (t told) hungIn(path string) bool {
	f, err := openRead(path)
	if err != nil {
		return false
	}
	defer f.Close()
	lines := contents(f)
	if !strings.Contains(lines, kindHung) || ipc.PrivateDir(filepath.Dir(path)) != nil {
		return false
	}
	who, ok := t.parent()
	if !ok {
		return false
	}
	now := t.now()
	for line := range strings.Lines(lines) {
		if fresh(line, now) && strings.HasPrefix(line, who+" ") && strings.Contains(line, " "+kindHung+" ") {
			return true
		}
	}
	return false
}

// first reports whether this parent has not been told why within the last
// seconds, and if so notes that it has been now. If in doubt it says true: a
// line too many is better than a silent failure. The time of the note stays: a
// parent that lives long and asks every few seconds hears of it again.
func (t told) first(why string, hung bool) bool {
	who, ok := t.parent()
	if !ok {
		return true
	}
	h := fnv.New64a()
	h.Write([]byte(why))
	note := note{who: who, kind: kindFailed, hash: strconv.FormatUint(h.Sum64(), 16)}
	if hung {
		note.kind = kindHung
	}
	for _, path := range t.paths {
		if ipc.PrivateDir(filepath.Dir(path)) != nil {
			continue
		}
		if f, err := openWrite(path); err == nil {
			defer f.Close() // and with it the lock
			return t.note(f, note)
		}
	}
	return true
}

// A note is what a line says, but for the time.
type note struct{ who, kind, hash string }

// note writes n down unless it stands there, and reports whether it did not.
//
// It does not wait for the lock for more than a moment: anybody who may write
// the file may hold it for ever. Nor does it need it to find that another run of
// the same parent has been faster, which is what a lock in use mostly means.
func (t told) note(f *os.File, n note) bool {
	for range tries {
		locked := tryLock(f)
		now := t.now() // not before the lock: what others wrote meanwhile is not of the future
		keep, known := sift(contents(f), now, n)
		if known {
			return false
		}
		if locked {
			keep += n.who + " " + strconv.FormatInt(now.UnixMilli(), 10) + " " + n.kind + " " + n.hash + "\n"
			if f.Truncate(0) == nil {
				f.WriteAt([]byte(keep), 0)
			}
			return true
		}
		time.Sleep(pause)
	}
	return true
}

// contents returns the beginning of f: a broken file is not worth more.
func contents(f *os.File) string {
	b, _ := io.ReadAll(io.NewSectionReader(f, 0, 64<<10))
	return string(b)
}

// sift returns those lines that are still fresh, and whether one of them says
// that the parent has been told that text.
func sift(lines string, now time.Time, n note) (keep string, known bool) {
	for line := range strings.Lines(lines) {
		if !fresh(line, now) {
			continue
		}
		keep += line
		if strings.HasPrefix(line, n.who+" ") && strings.HasSuffix(line, " "+n.hash+"\n") {
			known = true
		}
	}
	return keep, known
}

// fresh reports whether a line is whole and not older than remember; one from
// the future, after the clock was set back, is not.
func fresh(line string, now time.Time) bool {
	f := strings.Fields(line)
	if len(f) != 5 || !strings.HasSuffix(line, "\n") {
		return false
	}
	ms, err := strconv.ParseInt(f[2], 10, 64)
	age := now.UnixMilli() - ms
	return err == nil && age >= 0 && age <= remember.Milliseconds()
}
