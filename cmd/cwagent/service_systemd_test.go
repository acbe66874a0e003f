//go:build linux

package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/cwagent/cwagent/packaging"
)

// A mask is somebody's own, wherever it lies, and so is a link to another unit.
func TestUnitsOfOthers(t *testing.T) {
	run := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", run)
	m := &systemd{dir: t.TempDir()}
	of := func(name string) string { return filepath.Join(m.dir, name) }
	err := errors.Join(
		os.MkdirAll(filepath.Join(run, "systemd", "user"), 0o700), os.Mkdir(of("default.target.wants"), 0o700),
		os.Symlink(os.DevNull, filepath.Join(run, "systemd", "user", packaging.SocketUnit)),
		os.Symlink(os.DevNull, of("masked")), os.WriteFile(of("empty"), nil, 0o600), os.WriteFile(of("file"), []byte("x"), 0o600),
		os.Symlink(of("file"), of("link")), os.Symlink(of("nothing"), of("dangling")), os.Symlink(of("file"), m.serviceLink()),
	)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		packaging.SocketUnit: "systemctl --user --runtime unmask cwagent.socket", "masked": "systemctl --user unmask masked",
		"empty": "systemctl --user unmask empty", "file": "", "link": "", "none": "",
	} {
		if got := m.unmask(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	for name, want := range map[string]bool{"link": true, "dangling": true, "masked": false, "file": false, "none": false, "default.target.wants/cwagent.service": false} {
		if got := m.isOwnLink(of(name)); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
