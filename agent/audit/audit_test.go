package audit_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cwagent/cwagent/agent/audit"
)

// A record is what a test looks at in a line.
type record struct {
	Seq        int
	Msg        string
	Credential string
	Dropped    int
}

func read(t *testing.T, dir string) (all []record) {
	t.Helper()
	b, err := os.ReadFile(audit.Path(dir))
	if err != nil {
		t.Fatal(err)
	}
	for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
		var r record
		if err := json.Unmarshal(s.Bytes(), &r); err != nil {
			t.Fatalf("%q: %v", s.Text(), err)
		}
		all = append(all, r)
	}
	return all
}

// run runs the log until stop is called.
func run(t *testing.T, l *audit.Log, dir string, failed func(error)) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { l.Run(ctx, dir, failed) })
	return func() { cancel(); running.Wait() }
}

// All that was said before Run, while it runs and just before its end is written,
// in a file that is ours alone.
func TestLog(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	l := audit.New()
	log := slog.New(l).With("credential", "prod")
	log.Info("before")
	stop := run(t, l, dir, func(err error) { t.Error(err) })
	log.Debug("not worth it")
	for range 500 {
		log.Info("after")
	}
	stop()
	all := read(t, dir)
	if len(all) != 501 || all[0] != (record{1, "before", "prod", 0}) || all[500] != (record{501, "after", "prod", 0}) {
		t.Errorf("%d records, %+v", len(all), all[:min(len(all), 2)])
	}
	for path, mode := range map[string]fs.FileMode{dir: 0o700, audit.Path(dir): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}

	// The next agent goes on in the same file.
	l = audit.New()
	slog.New(l).Info("again")
	run(t, l, dir, nil)()
	if all := read(t, dir); all[len(all)-1].Msg != "again" || all[len(all)-1].Seq != 1 {
		t.Errorf("%+v", all[len(all)-1])
	}
}

// Who finds the queue full does not wait: how many were dropped is a record.
func TestDropped(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := audit.New()
	for range 3000 {
		slog.New(l).Info("x")
	}
	if got := l.Trouble(); got == nil || got.Dropped != 3000-1024 || got.Trouble != "" {
		t.Errorf("%+v", got)
	}
	run(t, l, dir, nil)()
	all := read(t, dir)
	if n := len(all); n != 1025 || all[1024].Msg == "x" && all[513].Msg == "x" {
		t.Errorf("%d records, the last %+v", n, all[n-1])
	}
	dropped := 0
	for i, r := range all {
		if dropped += r.Dropped; r.Seq != i+1 {
			t.Errorf("record %d has the number %d", i, r.Seq)
		}
	}
	if dropped != 3000-1024 {
		t.Errorf("%d dropped", dropped)
	}
}

// A folder in which others could write gets nothing, and the error is told once.
func TestPublicFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	l := audit.New()
	slog.New(l).Info("one")
	slog.New(l).Info("two")
	var told []error
	run(t, l, dir, func(err error) { told = append(told, err) })()
	if len(told) != 1 || !strings.Contains(told[0].Error(), "other users may write to it") {
		t.Errorf("%v", told)
	}
	if _, err := os.Stat(audit.Path(dir)); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// What is in the file stays, whoever has written it: an agent that is older than that
// one, too, goes on after it.
func TestLinesOfANewerAgent(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const newer = `{"form":1000,"what":["x"]}` + "\n"
	if err := os.WriteFile(audit.Path(dir), []byte(newer), 0o600); err != nil {
		t.Fatal(err)
	}
	l := audit.New()
	slog.New(l).Info("mine")
	run(t, l, dir, func(err error) { t.Error(err) })()
	if b, _ := os.ReadFile(audit.Path(dir)); !strings.HasPrefix(string(b), newer) || strings.Count(string(b), "\n") != 2 {
		t.Errorf("%s", b)
	}
}
