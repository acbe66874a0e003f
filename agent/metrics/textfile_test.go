package metrics_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cwagent/cwagent/agent/metrics"
)

// timer is an alarm by the clock of synctest. It counts how often it has rung.
type timer struct {
	*time.Timer
	rings chan struct{}
	rang  atomic.Int64
}

func (a *timer) Set(at time.Time) {
	a.Close()
	if !at.IsZero() {
		a.Timer = time.AfterFunc(time.Until(at), func() { a.rang.Add(1); a.rings <- struct{}{} })
	}
}

func (a *timer) Rings() <-chan struct{} { return a.rings }

func (a *timer) Close() {
	if a.Timer != nil {
		a.Stop()
	}
}

// A file is a Textfile that runs in a bubble.
type file struct {
	*metrics.Textfile
	t      *testing.T
	path   string
	alarm  timer
	until  atomic.Pointer[time.Time]
	writes atomic.Int64
	failed atomic.Int64
	goesOn atomic.Bool
	stop   func()
}

func inBubble(t *testing.T, test func(f *file)) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := &file{Textfile: metrics.NewTextfile(), t: t, path: filepath.Join(dir, "cwagent.prom"), alarm: timer{rings: make(chan struct{}, 1)}}
		f.Textfile.Alarm = func() metrics.Alarm { return &f.alarm }
		f.Now, f.GoesOn = time.Now, f.goesOn.Load
		f.Failed = func(string, error) { f.failed.Add(1) }
		f.until.Store(&time.Time{})
		f.Measure = func(context.Context) ([]byte, time.Time) {
			return []byte(strconv.FormatInt(f.writes.Add(1), 10)), *f.until.Load()
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); f.Run(ctx) }()
		f.stop = func() { cancel(); <-done }
		defer f.stop()
		test(f)
	})
}

// after lets that much time pass, and wants so many writes by then.
func (f *file) after(d time.Duration, writes int64) {
	f.t.Helper()
	time.Sleep(d)
	synctest.Wait()
	if n := f.writes.Load(); n != writes {
		f.t.Errorf("%d writes, want %d", n, writes)
	}
}

func (f *file) wantGone(path string) {
	f.t.Helper()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		f.t.Errorf("%s is there: %v", path, err)
	}
}

func TestTextfile(t *testing.T) {
	t.Parallel()
	inBubble(t, func(f *file) {
		f.Note()
		f.after(time.Hour, 0) // nobody wants it
		f.Set(f.path)
		f.after(0, 1)
		info, err := os.Stat(f.path)
		if err != nil || info.Mode() != 0o644 {
			t.Fatalf("%v, %v", info, err)
		}
		f.after(24*time.Hour, 1) // an idle agent
		if f.alarm.rang.Load() > 0 {
			t.Errorf("woken up %d times for nothing", f.alarm.rang.Load())
		}
		for range 1000 { // a busy one
			f.Note()
		}
		f.after(0, 2) // at once, after a pause
		for range 60 {
			f.Note()
			time.Sleep(time.Second)
		}
		f.after(0, 6)
		f.after(time.Hour, 6) // what came last is in it
		if text, err := os.ReadFile(f.path); string(text) != "6" {
			t.Errorf("%q, %v", text, err)
		}
	})
}

// What is true until a certain time is written again then.
func TestTextfileUntil(t *testing.T) {
	t.Parallel()
	inBubble(t, func(f *file) {
		end := time.Now().Add(time.Hour)
		f.until.Store(&end)
		f.Set(f.path)
		f.after(59*time.Minute, 1)
		f.Set(f.path) // the config was read again
		f.until.Store(&time.Time{})
		f.after(time.Minute, 2)
		f.after(24*time.Hour, 2)
	})
}

func TestTextfileMoves(t *testing.T) {
	t.Parallel()
	inBubble(t, func(f *file) {
		other := f.path + ".other.prom"
		f.Set(f.path)
		f.after(0, 1)
		f.Set(other)
		f.after(0, 2)
		f.wantGone(f.path)
		f.Set("")
		f.after(0, 2)
		f.wantGone(other)
		f.Note()
		f.after(time.Hour, 2)
		f.Set(f.path)
		f.after(0, 3)
		f.stop()
		f.wantGone(f.path)
	})
}

// An agent that begins anew under the same pid leaves it: it is not gone.
func TestTextfileGoesOn(t *testing.T) {
	t.Parallel()
	inBubble(t, func(f *file) {
		f.Set(f.path)
		f.after(0, 1)
		f.goesOn.Store(true)
		f.stop()
		if _, err := os.Stat(f.path); err != nil {
			t.Error(err)
		}
	})
}

// A folder that is not there is said once and tried again once a minute. What is not
// ours stays.
func TestTextfileFails(t *testing.T) {
	t.Parallel()
	inBubble(t, func(f *file) {
		dir := filepath.Join(filepath.Dir(f.path), "later")
		f.Set(filepath.Join(dir, "cwagent.prom"))
		f.Note()
		f.after(10*time.Minute+time.Second, 11)
		if n := f.failed.Load(); n != 1 {
			t.Errorf("said %d times", n)
		}
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		f.after(time.Minute, 12)
		f.after(time.Hour, 12)
		if err := os.WriteFile(f.path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		f.Note()
		f.after(time.Minute, 14)
		f.stop()
		if _, err := os.Stat(f.path); err != nil {
			t.Error("a file of somebody else is gone")
		}
	})
}
