package packaging_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/cwagent/cwagent/ipc/ipctest"
)

// below lists the files below root.
func below(t *testing.T, root string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, strings.TrimPrefix(path, root+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestInstall installs as make install does, and takes all of it away.
func TestInstall(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("make is not for Windows")
	}
	for _, program := range []string{"cwagent", "cwagent-credential"} {
		if _, err := os.Stat("../bin/" + program); err != nil {
			ipctest.Skip(t, "bin/"+program+" is not built: make build")
		}
	}
	root := t.TempDir()
	run := func(target string) {
		t.Helper()
		// -o: other tests use what is in bin
		cmd := exec.Command("make", "-o", "build", "-C", "..", target, "DESTDIR="+root, "PREFIX=/usr/local")
		cmd.Env = append(os.Environ(), "GOPROXY=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("make %s: %v\n%s", target, err, out)
		}
	}
	run("install")
	files := below(t, filepath.Join(root, "usr/local"))
	want := []string{
		"bin/cwagent", "bin/cwagent-credential", "share/systemd/user/cwagent.service", "share/systemd/user/cwagent.socket",
		"share/bash-completion/completions/cwagent", "share/zsh/site-functions/_cwagent", "share/fish/vendor_completions.d/cwagent.fish",
		"share/man/man1/cwagent-credential.1", "share/man/man1/cwagent-status-json.1", "share/man/man5/cwagent-config.5",
	}
	for _, page := range commands(t, "../bin/cwagent", nil) {
		want = append(want, "share/man/man1/"+page+".1")
	}
	slices.Sort(files)
	slices.Sort(want)
	if !slices.Equal(files, want) {
		t.Errorf("got %q\nwant %q", files, want)
	}
	checkPages(t, filepath.Join(root, "usr/local/share/man"))
	run("uninstall")
	if left := below(t, root); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// checkPages: what a person looks for in the two that are not a command's help.
func checkPages(t *testing.T, man string) {
	for page, words := range map[string][]string{
		"man1/cwagent.1":        {`\fBcwagent\fP \fICOMMAND\fP`, ".SH COMMANDS", `\fBcwagent service install\fP`, ".SH FILES", "audit-HOST.jsonl", ".SH ENVIRONMENT", `\fBCWAGENT_SOCKET\fP`},
		"man5/cwagent-config.5": {".SH KEYS", `\fBcredentials.source.command.timeout\fP (duration, 1s to 5m; default 30s)`, "store: auto"},
		"man1/cwagent-import.1": {`\fB--dry-run\fP`},
	} {
		text, err := os.ReadFile(filepath.Join(man, page))
		if err != nil {
			t.Error(err)
		}
		for _, w := range words {
			if !bytes.Contains(text, []byte(w)) {
				t.Errorf("no %s in %s:\n%s", w, page, text)
			}
		}
		for _, bad := range []string{"[=false]", "@"} {
			if bytes.Contains(text, []byte(bad)) && page != "man5/cwagent-config.5" {
				t.Errorf("%s in %s:\n%s", bad, page, text)
			}
		}
	}
}
