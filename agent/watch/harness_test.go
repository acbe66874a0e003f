package watch

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const patience = 10 * time.Second

// watched is a Folder that runs.
type watched struct {
	t      *testing.T
	calls  chan time.Time
	states chan error
	end    func() // and waits for the end
}

// begin runs w, which was made with o, until the test is over. It returns when
// the first state was told.
func begin(t *testing.T, w *watcher, run func(func())) (*watched, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	f := &watched{t: t, calls: make(chan time.Time, 1000), states: make(chan error, 1000)}
	busy := make(chan struct{}, 1)
	alone := func(do func()) { // calls are never concurrent
		select {
		case busy <- struct{}{}:
		default:
			t.Error("a call while another one runs")
		}
		do()
		<-busy
	}
	w.changed = func() { alone(func() { f.calls <- time.Now() }) }
	w.State = func(err error) { alone(func() { f.states <- err }) }
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(func() { w.run(ctx) })
	}()
	f.end = func() { cancel(); <-done }
	t.Cleanup(f.end)
	return f, f.state()
}

// on watches dir, which has to be in order.
func on(t *testing.T, dir string, o Options) *watched {
	t.Helper()
	f, err := begin(t, newWatcher(dir, o, nil), func(do func()) { do() })
	if err != nil {
		t.Fatalf("watch: %v", err)
	}
	return f
}

func (f *watched) state() error {
	f.t.Helper()
	select {
	case err := <-f.states:
		return err
	case <-time.After(patience):
		f.t.Fatal("no state was told")
		return nil
	}
}

// soon wants a call after do, and says how long it took.
func (f *watched) soon(do func()) time.Duration {
	f.t.Helper()
	do()
	start := time.Now()
	select {
	case at := <-f.calls:
		return at.Sub(start)
	case <-time.After(patience):
		f.t.Fatal("not called")
		return 0
	}
}

// settled takes what calls are still to come, and says how many: a change in
// another folder tells that there has been time enough.
func (f *watched) settled() (calls int) {
	f.t.Helper()
	dir := f.t.TempDir()
	other := on(f.t, dir, Options{})
	defer other.end()
	for range 2 { // the second one begins after all that f had noted was told
		other.soon(func() { write(f.t, filepath.Join(dir, "x"), "x") })
	}
	for {
		select {
		case <-f.calls:
			calls++
		default:
			return calls
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// must is for file operations that do not fail.
func must(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}
