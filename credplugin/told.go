package credplugin

import (
	"hash/fnv"
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
}

const (
	kindHung   = "hung"
	kindFailed = "failed"
)

func openTold(socket string) told {
	return told{path: filepath.Join(filepath.Dir(socket), "told"), parent: parent}
}

func parent() (string, bool) {
	pid := os.Getppid()
	start, err := peer.StartTime(pid)
	return strconv.Itoa(pid) + " " + strconv.FormatUint(start, 10), err == nil
}

// hung reports whether this parent has just waited for an agent that does not
// answer: five times two seconds would be a hang. On the good path it costs one
// open that finds no file, or a file without that word.
func (t told) hung(now time.Time) bool {
	b, err := os.ReadFile(t.path)
	if err != nil || !strings.Contains(string(b), kindHung) {
		return false
	}
	who, ok := t.parent()
	if !ok {
		return false
	}
	for line := range strings.Lines(string(b)) {
		if fresh(line, now) && strings.HasPrefix(line, who+" ") && strings.Contains(line, " "+kindHung+" ") {
			return true
		}
	}
	return false
}

// first reports whether this parent has not been told why within the last
// seconds, and notes that it has been now. If in doubt it says true: a line too
// many is better than a silent failure.
func (t told) first(now time.Time, why string, hung bool) bool {
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
	keep, known := sift(f, now, who, hash)
	keep += who + " " + strconv.FormatInt(now.UnixMilli(), 10) + " " + kind + " " + hash + "\n"
	if f.Truncate(0) == nil {
		f.WriteAt([]byte(keep), 0)
	}
	return !known
}

// sift returns the lines of f that are still fresh, and whether one of them
// says that who has been told the text of that hash.
func sift(f *os.File, now time.Time, who, hash string) (keep string, known bool) {
	const most = 64 << 10 // a broken file is not worth more
	b := make([]byte, most)
	n, _ := f.ReadAt(b, 0)
	for line := range strings.Lines(string(b[:n])) {
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
