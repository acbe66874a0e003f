package audit

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// plainFile is a log without rotation: lumberjack leaves a goroutine behind, which a
// bubble does not allow.
type plainFile struct{ path string }

func (f plainFile) Write(b []byte) (int, error) {
	file, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	return file.Write(b)
}

func (plainFile) Close() error { return nil }

// fullDisk takes, while it is full, ten bytes of each line.
type fullDisk struct {
	plainFile
	full atomic.Bool
}

func (f *fullDisk) Write(b []byte) (int, error) {
	if !f.full.Load() {
		return f.plainFile.Write(b)
	}
	n, _ := f.plainFile.Write(b[:10])
	return n, syscall.ENOSPC
}

// slowDisk takes nothing until it is let.
type slowDisk struct {
	plainFile
	let chan struct{}
}

func (s slowDisk) Write(b []byte) (int, error) { <-s.let; return s.plainFile.Write(b) }

// A disk that takes nothing costs records, which are counted, and nothing else; what
// it took of a line is the end of that one only.
func TestTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, looked := New(), 0
		var told []error
		w := newWriter(l.queue, t.TempDir(), func(err error) { told = append(told, err) })
		disk := &fullDisk{plainFile: plainFile{Path(w.dir)}}
		w.journal, w.callers.look, w.file = noJournal(), shells(&looked), disk
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { w.run(ctx) })
		slog.New(l).Info("good")
		synctest.Wait()
		disk.full.Store(true)
		for range 3 {
			slog.New(l).Info("in vain")
			l.Given(use(20))
		}
		synctest.Wait()
		got := l.Trouble()
		if got == nil || !strings.Contains(got.Trouble, "no space left on device") || got.Dropped != 4 || len(told) != 1 {
			t.Errorf("%+v, %v", got, told)
		}
		disk.full.Store(false)
		time.Sleep(time.Minute) // it heals without anybody asking
		synctest.Wait()
		if got := l.Trouble(); got == nil || got.Trouble != "" || got.Dropped != 4 {
			t.Errorf("%+v", got)
		}
		cancel()
		running.Wait()
		b, _ := os.ReadFile(Path(w.dir))
		var sum uint64
		var seqs []uint64
		for line := range bytes.Lines(b) {
			if r, err := Parse(line); err == nil {
				sum += r.Dropped + r.Times
				seqs = append(seqs, r.Seq)
			}
		}
		if sum != 6 || !slices.Equal(seqs, []uint64{1, 2, 3}) {
			t.Errorf("%d of 6, numbers %d: %s", sum, seqs, b)
		}
	})
}

// A disk that hangs holds up nobody who is given a token; status says so, and nothing
// is forgotten.
func TestSlowDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, looked := New(), 0
		w := newWriter(l.queue, t.TempDir(), func(err error) { t.Error(err) })
		disk := slowDisk{plainFile{Path(w.dir)}, make(chan struct{})}
		w.journal, w.callers.look, w.file = noJournal(), shells(&looked), disk
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { w.run(ctx) })
		began := time.Now()
		l.Given(use(20))
		synctest.Wait() // it hangs in the write of that
		for range 4999 {
			l.Given(use(20))
		}
		if time.Since(began) != 0 {
			t.Error("somebody has waited")
		}
		time.Sleep(12 * time.Second)
		if got := l.Trouble(); got == nil || got.Trouble != "the last record has not been taken for 12s" || got.Dropped != 4999-room {
			t.Errorf("%+v", got)
		}
		close(disk.let)
		synctest.Wait()
		if got := l.Trouble(); got == nil || got.Trouble != "" {
			t.Errorf("%+v", got)
		}
		cancel()
		running.Wait()
		var sum uint64
		for _, r := range records(t, w.dir) {
			if sum += r.Dropped; r.Msg == Given {
				sum += max(r.Times, 1)
			}
		}
		if sum != 5000 {
			t.Errorf("%d of 5000", sum)
		}
	})
}
