package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent/cleartext"
)

// newScan is a scan that nobody watches.
func newScan() *scanner {
	return (&cli{out: &bytes.Buffer{}, err: &bytes.Buffer{}, now: time.Now, getenv: func(string) string { return "" }}).newScanner(scanBounds)
}

// A file that is written, emptied and replaced all the time is looked at as it is at
// one moment.
func TestScanMeanwhile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), ".env")
	long := strings.Repeat("# a comment\n", 10_000) + "CW_TOKEN=CW-SECRET-Zk3vY0pQ\n"
	done := make(chan error)
	stop := make(chan struct{})
	go func() {
		var err error
		for i := 0; err == nil; i++ {
			select {
			case <-stop:
				done <- nil
				return
			default:
			}
			switch i % 4 {
			case 0:
				err = os.WriteFile(path, []byte(long), 0o600)
			case 1:
				err = os.WriteFile(path, []byte("CW_TOKEN=CW-SECRET-Zk3vY0pQ\n"), 0o600)
			case 2:
				err = os.Truncate(path, 0)
			case 3:
				err = os.Remove(path)
			}
		}
		done <- err
	}()
	s := newScan()
	for range 500 {
		s.Found, s.seen = nil, map[int64][]fs.FileInfo{}
		s.look(path)
		if len(s.Found) > 1 || len(s.Unread) > 0 || s.NoAccess > 0 {
			t.Errorf("found %+v, unread %q, %d not accessible", s.Found, s.Unread, s.NoAccess)
		}
		for _, f := range s.Found {
			if f.Line != 1 && f.Line != 10_001 {
				t.Errorf("line %d", f.Line)
			}
		}
	}
	close(stop)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A file that has a token and several names, all of the same time, is one.
func TestScanSameFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := filepath.Join(dir, "0.env")
	if err := os.WriteFile(first, []byte("CW_TOKEN=CW-SECRET-Zk3vY0pQ\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		if err := os.Link(first, filepath.Join(dir, fmt.Sprintf("%d.env", i+1))); err != nil {
			t.Skip(err)
		}
	}
	other := filepath.Join(dir, "z.env")
	if err := os.WriteFile(other, []byte("CW_TOKEN=CW-SECRET-Zk3vY0pQ\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(other, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	s := newScan()
	if err := s.walk(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if len(s.Found) != 2 || s.Found[0].File != first || s.Found[1].File != other {
		t.Errorf("found %+v", s.Found)
	}
}

// Whatever is found, in text and JSON, in each kind of file: no part of a token is shown.
func TestScanShowsNoToken(t *testing.T) {
	t.Parallel()
	const secret = "Zk3vY0pQm1tR7wXc9bL5nH2sD8fJ4gA6"
	const token = tokenPrefix + secret
	texts := []string{
		"CW_TOKEN=" + secret, "A=" + token, token + "=" + token, "[profile " + token + "]\nx=" + token, "[" + token + "\n" + token,
		"set -x " + token + " " + token, "users:\n- name: " + token + "\n  user: {token: " + token + "}", "users: [" + token + ": {", `{"` + token + `":"` + token + `"}`,
		"CW_TOKEN=CW_TOKEN=" + secret, "export " + secret + "=" + token, "--" + token + " " + token, "machine " + token + " password " + token,
	}
	names := []string{".env", "x.tfvars", "x.tfstate", "Pulumi.x.yaml", ".bashrc", ".bash_history", "fish_history", "fish_variables", ".aws/config", "rclone.conf", ".cwic/config.json", ".netrc", "group_vars/all", "config"}
	dir := t.TempDir()
	for i, text := range texts {
		for _, name := range names {
			path := filepath.Join(dir, fmt.Sprint(i), token, filepath.FromSlash(name))
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	s := newScan()
	if err := s.walk(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if len(s.Found) < len(names)*len(texts)/2 {
		t.Errorf("only %d found", len(s.Found))
	}
	how := cure{name: "prod"}
	for i := range s.Found {
		s.Found[i].Cure = strings.Join(how.words(s.Found[i:i+1]), "\n")
	}
	s.print(how)
	all, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, shown := range []string{string(all), s.out.(*bytes.Buffer).String(), s.err.(*bytes.Buffer).String()} {
		if at := strings.Index(shown, secret); at >= 0 {
			t.Errorf("a token is shown: %s", shown[max(0, at-300):at])
		}
	}
}

// Tens of thousands of small files cost little more than to read them.
func TestScanSpeed(t *testing.T) {
	const folders, each = 500, 100
	dir := t.TempDir()
	for i := range folders {
		sub := filepath.Join(dir, fmt.Sprint(i))
		if err := os.Mkdir(sub, 0o700); err != nil {
			t.Fatal(err)
		}
		for j := range each {
			name, text := fmt.Sprintf("%d.txt", j), "a file of a project, in some fifty bytes, without one"
			if j%10 == 0 {
				name, text = fmt.Sprintf("%d.env", j), "A=b\nCOREWEAVE_API_TOKEN=CW-SECRET-Zk3vY0pQm1tR7wXc9bL5\n"
			}
			if err := os.WriteFile(filepath.Join(sub, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	best := func(f func()) time.Duration {
		least := time.Hour
		for range 2 {
			began := time.Now()
			f()
			least = min(least, time.Since(began))
		}
		return least
	}
	plain := best(func() {
		filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() {
				_, err = os.ReadFile(path)
			}
			return err
		})
	})
	scan := best(func() {
		s := newScan()
		if err := s.walk(t.Context(), dir); err != nil || s.Files != folders*each || len(s.Found) != folders*each/10 {
			t.Errorf("%v: %d found in %d files", err, len(s.Found), s.Files)
		}
	})
	t.Logf("%d files: read %v, scanned %v, %.1f times", folders*each, plain, scan, float64(scan)/float64(plain))
	if scan > 10*plain {
		t.Errorf("%d files: read in %v, scanned in %v", folders*each, plain, scan)
	}
}

// A history over the bound is read from the start of a line near its end.
func TestScanLongHistory(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), ".zsh_history")
	text := "export CW_TOKEN=CW-SECRET-Zk3vFirst\n" + strings.Repeat(": 1760000000:0;ls\n", scanSize/18) + ": 1760000001:0;CW_API_TOKEN=CW-SECRET-Zk3vLast ls\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newScan()
	text2, whole, err := s.read(path, cleartext.History)
	if err != nil || whole || !bytes.HasPrefix(text2, []byte(": 1760000000:0;ls\n")) {
		t.Errorf("%v, %.30q", err, text2)
	}
	s.look(path)
	if len(s.Found) != 1 || s.Found[0].Variable != "CW_API_TOKEN" || s.Found[0].Line != 0 || len(s.Unread) != 1 {
		t.Errorf("found %+v, unread %q", s.Found, s.Unread)
	}
}
