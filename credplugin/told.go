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

// told is the file in the socket's folder that knows which parent processes
// have been told what, one line each:
//
//	PID START MILLISECONDS KIND HASH
//
// PID and START name the parent, MILLISECONDS is the wall clock, KIND is "hung"
// or "failed", HASH stands for the text. It holds no text: that may name hosts.
type told struct {
	path   string
	parent func() (string, bool) // "PID START"
	now    func() time.Time      // asked after the file: what is in it is not of the future
}

const (
	kindHung   = "hung"
	kindFailed = "failed"
)

func openTold(socket string) told {
	return told{path: filepath.Join(filepath.Dir(socket), "told"), parent: parent, now: time.Now}
}

func parent() (string, bool) {
	pid := os.Getppid()
	start, err := peer.StartTime(pid)
	return strconv.Itoa(pid) + " " + strconv.FormatUint(start, 10), err == nil
}

// hung reports whether this parent has just waited for an agent that does not
// answer: five times two seconds would be a hang. On the good path it costs one
// open that finds no file, or a file without that word. It leads to a silent
// failure, so it believes only a file that nobody else can have made.
func (t told) hung() bool {
	f, err := openRead(t.path)
	if err != nil {
		return false
	}
	defer f.Close()
	lines := contents(f)
	if !strings.Contains(lines, kindHung) || ipc.PrivateDir(filepath.Dir(t.path)) != nil {
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
	if !ok || ipc.PrivateDir(filepath.Dir(t.path)) != nil {
		return true
	}
	f, err := openLocked(t.path)
	if err != nil {
		return true
	}
	defer f.Close() // and with it the lock
	h := fnv.New64a()
	h.Write([]byte(why))
	hash := strconv.FormatUint(h.Sum64(), 16)
	kind := kindFailed
	if hung {
		kind = kindHung
	}
	now := t.now() // not before the lock: others have written while we waited for it
	keep, known := sift(contents(f), now, who, hash)
	if known {
		return false
	}
	keep += who + " " + strconv.FormatInt(now.UnixMilli(), 10) + " " + kind + " " + hash + "\n"
	if f.Truncate(0) == nil {
		f.WriteAt([]byte(keep), 0)
	}
	return true
}

// contents returns the beginning of f: a broken file is not worth more.
func contents(f *os.File) string {
	b, _ := io.ReadAll(io.NewSectionReader(f, 0, 64<<10))
	return string(b)
}

// sift returns those lines that are still fresh, and whether one of them says
// that who has been told the text of that hash.
func sift(lines string, now time.Time, who, hash string) (keep string, known bool) {
	for line := range strings.Lines(lines) {
		if !fresh(line, now) {
			continue
		}
		keep += line
		if strings.HasPrefix(line, who+" ") && strings.HasSuffix(line, " "+hash+"\n") {
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
