package ipc_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/cwagent/cwagent/ipc"
)

// environ is a getenv made of pairs.
func environ(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestSocketPath(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("the places of Linux")
	}
	fallback := "/tmp/cwagent-" + strconv.Itoa(os.Getuid()) + "/agent.sock"
	if dir := "/run/user/" + strconv.Itoa(os.Getuid()); ownFolder(dir) {
		fallback = dir + "/cwagent/agent.sock"
	}
	foreign := "/"
	if os.Getuid() == 0 {
		foreign = t.TempDir()
		if err := os.Chown(foreign, 12345, 12345); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name   string
		getenv func(string) string
		want   string
	}{
		{"the runtime folder of another user, which su leaves", environ("XDG_RUNTIME_DIR", foreign), fallback},
		{"the override", environ("CWAGENT_SOCKET", "/x/y.sock", "XDG_RUNTIME_DIR", "/run/user/7"), "/x/y.sock"},
		{"the runtime folder", environ("XDG_RUNTIME_DIR", "/run/user/7", "HOME", "/home/x"), "/run/user/7/cwagent/agent.sock"},
		{"nothing set", environ(), fallback},
		{"a relative runtime folder, which the XDG specification says to ignore", environ("XDG_RUNTIME_DIR", "run"), fallback},
	} {
		if got, err := ipc.SocketPath(c.getenv); err != nil || got != c.want {
			t.Errorf("%s: %q, %v, want %q", c.name, got, err, c.want)
		}
	}
}

// ownFolder reports whether dir is a folder of ours that is closed to others.
func ownFolder(dir string) bool {
	_, err := os.Lstat(dir)
	return err == nil && ipc.PrivateDir(dir) == nil
}

func TestSocketPathMac(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "darwin" {
		t.Skip("the places of macOS")
	}
	got, err := ipc.SocketPath(environ("HOME", "/Users/x", "XDG_RUNTIME_DIR", "/run/x"))
	if want := "/Users/x/Library/Application Support/cwagent/agent.sock"; err != nil || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}

func TestSocketPathRefused(t *testing.T) {
	t.Parallel()
	if _, err := ipc.SocketPath(environ("CWAGENT_SOCKET", "agent.sock")); err == nil || !strings.Contains(err.Error(), "agent.sock is not an absolute path") {
		t.Errorf("a relative path: %v", err)
	}
	limit := 103
	if runtime.GOOS == "linux" {
		limit = 107
	}
	root := filepath.VolumeName(os.TempDir()) + string(filepath.Separator)
	for _, n := range []int{limit, limit + 1, 200} {
		p := root + strings.Repeat("x", n-len(root))
		for what, getenv := range map[string]func(string) string{
			"the override":       environ("CWAGENT_SOCKET", p),
			"the runtime folder": environ("XDG_RUNTIME_DIR", strings.TrimSuffix(p, strings.Repeat("x", len("/cwagent/agent.sock")))),
		} {
			if what == "the runtime folder" && runtime.GOOS == "darwin" {
				continue
			}
			_, err := ipc.SocketPath(getenv)
			if n <= limit {
				if err != nil {
					t.Errorf("%s, %d bytes: %v", what, n, err)
				}
				continue
			}
			var e *ipc.Error
			if !errors.As(err, &e) || e.Code != ipc.CodeInvalid || !strings.Contains(e.What, strconv.Itoa(n)+" bytes") || e.Hint == "" {
				t.Errorf("%s, %d bytes: %v", what, n, err)
			}
		}
	}
}
