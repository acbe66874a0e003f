//go:build linux

// Package boot tests what is installed in a machine of its own: this one's root as a
// throw-away overlay, with a real systemd, booted by systemd-nspawn.
package boot

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cwagent/cwagent/ipc/ipctest"
)

// build makes two versions of the package, once.
var build = sync.OnceValues(func() (dir string, err error) {
	dir, err = os.MkdirTemp("", "cwboot")
	if err != nil {
		return "", err
	}
	for name, version := range map[string]string{"old": "0.0.1", "new": "0.0.2"} {
		out := filepath.Join(dir, name)
		cmd := exec.Command("../build", "packages", out, "amd64")
		cmd.Env = append(os.Environ(), "VERSION="+version)
		if b, err := cmd.CombinedOutput(); err != nil {
			return dir, errors.New(string(b))
		}
		for _, kind := range []string{".deb", ".rpm"} {
			made, _ := filepath.Glob(filepath.Join(out, "*"+kind))
			if len(made) != 1 {
				return dir, errors.New("no package was made")
			}
			if err := os.Rename(made[0], filepath.Join(dir, name+kind)); err != nil {
				return dir, err
			}
		}
	}
	// Not only root goes in.
	return dir, errors.Join(os.Chmod(dir, 0o755), os.CopyFS(filepath.Join(dir, "scripts"), os.DirFS("testdata")), copyBin(filepath.Join(dir, "bin")))
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, _ := build(); dir != "" {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

func TestBoot(t *testing.T) {
	if os.Geteuid() != 0 {
		ipctest.Skip(t, "only root boots a machine")
	}
	for _, program := range []string{"systemd-nspawn", "dpkg", "rpm", "gnome-keyring-daemon"} {
		if _, err := exec.LookPath(program); err != nil {
			ipctest.Skip(t, program+" is not installed: make deps")
		}
	}
	for _, program := range []string{"testbed", "kubectl"} {
		if _, err := os.Stat("../../bin/" + program); err != nil {
			ipctest.Skip(t, "bin/"+program+" is not built: make testbed")
		}
	}
	dir, err := build()
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range []string{"service", "demand", "locked", "lock", "agent", "install", "doctor"} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			enter := `exec nsenter -t "$MACHINE" -m -u -i -n -p -C bash /opt/t/scripts/` + script + ".sh"
			out, err := exec.Command("./boot.sh", dir, "bash", "-c", enter).CombinedOutput()
			t.Logf("%s", out)
			if err != nil {
				t.Errorf("%s: %v", script, err)
			}
			if strings.Contains(string(out), "CW-SECRET") {
				t.Error("a token is in the output")
			}
		})
	}
}

// copyBin hands over what a person in the machine needs beside the package.
func copyBin(to string) error {
	if err := os.Mkdir(to, 0o755); err != nil {
		return err
	}
	for _, program := range []string{"testbed", "kubectl"} {
		b, err := os.ReadFile("../../bin/" + program)
		if err == nil {
			err = os.WriteFile(filepath.Join(to, program), b, 0o755)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
