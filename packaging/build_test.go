package packaging_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/cwagent/cwagent/ipc/ipctest"
)

var rpmArch = map[string]string{"amd64": "x86_64", "arm64": "aarch64"}

// needs skips where packages cannot be made, or not be looked into.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	if runtime.GOOS != "linux" || rpmArch[runtime.GOARCH] == "" {
		t.Skip("packages are made on Linux")
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			ipctest.Skip(t, "no "+p)
		}
	}
	cmd := exec.Command("go", "-C", "../.ci/tools", "list", "-deps", "tool")
	cmd.Env = append(os.Environ(), "GOPROXY=off")
	if err := cmd.Run(); err != nil {
		ipctest.Skip(t, "what makes packages is not in the module cache: make deps")
	}
}

// build runs packaging/build for dist. What is in an environment by chance must not
// reach the result: each umask is another one.
func build(t *testing.T, umask, dist, kind string, targets ...string) {
	t.Helper()
	cmd := exec.Command("sh", append([]string{"-c", "umask " + umask + `; exec ./build "$@"`, "sh", kind, dist}, targets...)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir(), "TZ=UTC"+umask[1:2], "GOPROXY=off") // nor is the network asked
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build %s: %v\n%s", kind, err, out)
	}
}

// same wants n files in again that are the very files of first.
func same(t *testing.T, first, again string, n int) {
	t.Helper()
	files, err := os.ReadDir(again)
	if err != nil || len(files) != n {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		a, err := os.ReadFile(filepath.Join(first, f.Name()))
		b, err2 := os.ReadFile(filepath.Join(again, f.Name()))
		if err != nil || err2 != nil || !bytes.Equal(a, b) {
			t.Errorf("%s is not the same twice, %v, %v", f.Name(), err, err2)
		}
	}
}

func one(t *testing.T, dir, pattern string) string {
	t.Helper()
	found, _ := filepath.Glob(filepath.Join(dir, pattern))
	if len(found) != 1 {
		t.Fatalf("%s: %q", pattern, found)
	}
	return found[0]
}

func output(t *testing.T, program string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", program, args, err, out)
	}
	return out
}

func gunzip(t *testing.T, b []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if z.Name != "" || !z.ModTime.IsZero() {
		t.Errorf("gzip tells %q of %v", z.Name, z.ModTime)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// unpack writes the files of a tar archive below root and returns their modes.
func unpack(t *testing.T, archive []byte, root string) map[string]fs.FileMode {
	t.Helper()
	files := map[string]fs.FileMode{}
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if err == io.EOF {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 {
			t.Errorf("%s belongs to %d:%d", h.Name, h.Uid, h.Gid)
		}
		mode, at := h.FileInfo().Mode(), filepath.Join(root, h.Name)
		if mode.IsDir() {
			if mode.Perm() != 0o755 {
				t.Errorf("%s: %v", h.Name, mode)
			}
			continue
		}
		b, err := io.ReadAll(r)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(at), 0o755)
		}
		if err == nil {
			err = os.WriteFile(at, b, mode.Perm())
		}
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimPrefix(h.Name, "./")] = mode
	}
}
