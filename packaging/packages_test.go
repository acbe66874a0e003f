package packaging_test

import (
	"bytes"
	"encoding/pem"
	"io/fs"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/cwagent/cwagent/agent/config"
	"github.com/cwagent/cwagent/ipc/ipctest"
	"github.com/cwagent/cwagent/packaging"
)

// TestPackages builds the packages as make package does and looks into them.
func TestPackages(t *testing.T) {
	t.Parallel()
	needs(t, "dpkg-deb", "rpm", "lintian")
	dist := t.TempDir()
	build(t, "022", dist, "packages", "amd64", "arm64")
	deb, rpm := one(t, dist, "*_"+runtime.GOARCH+".deb"), one(t, dist, "*."+rpmArch[runtime.GOARCH]+".rpm")
	root := t.TempDir()
	files := unpack(t, output(t, "dpkg-deb", "--fsys-tarfile", deb), root)

	t.Run("files", func(t *testing.T) { checkFiles(t, files, commands(t, filepath.Join(root, "usr/bin/cwagent"), nil)) })
	t.Run("content", func(t *testing.T) { checkContent(t, root, version(t, deb)) })
	t.Run("lintian", func(t *testing.T) {
		for _, arch := range []string{"amd64", "arm64"} {
			if out := output(t, "lintian", "--allow-root", "--fail-on=none", one(t, dist, "*_"+arch+".deb")); len(out) > 0 {
				t.Errorf("%s:\n%s", arch, out)
			}
		}
	})
	t.Run("rpm", func(t *testing.T) { checkRPM(t, rpm, root, files) })
	t.Run("again", func(t *testing.T) {
		again := t.TempDir()
		build(t, "077", again, "packages", runtime.GOARCH)
		same(t, dist, again, 2)
	})
}

// TestArchives: the same for what make release adds.
func TestArchives(t *testing.T) {
	t.Parallel()
	needs(t)
	first, again := t.TempDir(), t.TempDir()
	build(t, "022", first, "archives", "linux/"+runtime.GOARCH)
	build(t, "077", again, "archives", "linux/"+runtime.GOARCH)
	same(t, first, again, 2)
	name := filepath.Base(strings.TrimSuffix(one(t, first, "*.tar.gz"), ".tar.gz"))
	f, err := os.ReadFile(one(t, first, "*.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	files := unpack(t, gunzip(t, f), root)
	for _, want := range []string{"bin/cwagent", "bin/cwagent-credential", "share/man/man1/cwagent.1.gz", "share/doc/cwagent/examples/config.yaml"} {
		if files[name+"/"+want] == 0 {
			t.Errorf("no %s in %v", want, files)
		}
	}
	sbom, err := os.ReadFile(one(t, first, "*.cdx.json"))
	for _, module := range []string{"spf13/cobra", "k8s.io/client-go", `"std"`} {
		if err != nil || !bytes.Contains(sbom, []byte(module)) {
			t.Errorf("no %s in the SBOM, %v", module, err)
		}
	}
}

// commands returns the names of the man pages that program should have.
func commands(t *testing.T, program string, path []string) []string {
	t.Helper()
	names := []string{strings.Join(append([]string{"cwagent"}, path...), "-")}
	_, list, _ := strings.Cut(string(output(t, program, append(path, "--help")...)), "Available Commands:\n")
	list, _, _ = strings.Cut(list, "\n\n")
	for line := range strings.Lines(list) {
		if name := strings.Fields(line)[0]; name != "help" {
			names = append(names, commands(t, program, append(path[:len(path):len(path)], name))...)
		}
	}
	return names
}

func checkFiles(t *testing.T, got map[string]fs.FileMode, pages []string) {
	want := map[string]fs.FileMode{"usr/bin/cwagent": 0o755, "usr/bin/cwagent-credential": 0o755}
	for _, file := range []string{
		"lib/systemd/user/cwagent.service", "lib/systemd/user/cwagent.socket",
		"share/bash-completion/completions/cwagent", "share/fish/vendor_completions.d/cwagent.fish", "share/zsh/vendor-completions/_cwagent",
		"share/doc/cwagent/README.md", "share/doc/cwagent/changelog.gz", "share/doc/cwagent/copyright",
		"share/doc/cwagent/examples/config.yaml", "share/doc/cwagent/third-party.txt.gz",
		"share/lintian/overrides/cwagent",
		"share/man/man1/cwagent-credential.1.gz", "share/man/man1/cwagent-status-json.1.gz", "share/man/man5/cwagent-config.5.gz",
	} {
		want["usr/"+file] = 0o644
	}
	if len(pages) < 10 {
		t.Errorf("commands: %q", pages)
	}
	for _, page := range pages {
		want["usr/share/man/man1/"+page+".1.gz"] = 0o644
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

func version(t *testing.T, deb string) string {
	t.Helper()
	return strings.TrimSpace(string(output(t, "dpkg-deb", "--field", deb, "Version")))
}

// checkContent looks into what is installed below root.
func checkContent(t *testing.T, root, version string) {
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{"usr/bin/cwagent", "usr/bin/cwagent-credential"} {
		if bytes.Contains(read(program), []byte(filepath.Dir(here))) {
			t.Errorf("%s tells where it was built", program)
		}
	}
	if out := output(t, filepath.Join(root, "usr/bin/cwagent"), "version"); !strings.Contains(string(out), " "+version+" ") {
		t.Errorf("%s in the package of %s", out, version)
	}
	first, _, _ := strings.Cut(string(gunzip(t, read("usr/share/doc/cwagent/changelog.gz"))), "\n")
	next, _, _ := strings.Cut(version, "~")
	if first != "cwagent ("+next+") unstable; urgency=medium" {
		t.Errorf("%s: the changelog begins with %s", version, first)
	}
	unit, err := packaging.Service("/usr/bin/cwagent")
	if err != nil || string(read("usr/lib/systemd/user/cwagent.service")) != unit || string(read("usr/lib/systemd/user/cwagent.socket")) != packaging.Socket() {
		t.Error("not the units that service install writes")
	}
	pages, _ := filepath.Glob(filepath.Join(root, "usr/share/man/man?/*.gz"))
	for _, page := range pages {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		if text := gunzip(t, b); !regexp.MustCompile(`(?m)^\.TH [^\n]*\n(.*\n)*\.SH NAME\n`).Match(text) {
			t.Errorf("%s:\n%s", page, text)
		}
	}
	checkSample(t, read("usr/share/doc/cwagent/examples/config.yaml"))
}

// checkSample: the example loads, once the certificate that it names is there.
func checkSample(t *testing.T, text []byte) {
	dir := t.TempDir()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	file := filepath.Join(dir, "config.yaml")
	for name, b := range map[string][]byte{file: text, filepath.Join(dir, "ca.pem"): ca} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(file)
	if err != nil || len(c.Credentials) == 0 {
		t.Errorf("%v in\n%s", err, text)
	}
}

// checkRPM installs file into a root of its own and compares with what the deb has.
func checkRPM(t *testing.T, file, deb string, files map[string]fs.FileMode) {
	if os.Getuid() != 0 {
		ipctest.Skip(t, "rpm --root is for root")
	}
	root := t.TempDir()
	output(t, "rpm", "--root", root, "-i", "--nodeps", "--noscripts", "--ignoreos", "--ignorearch", file)
	n := 0
	for name, mode := range files {
		if strings.HasPrefix(name, "usr/share/lintian/") {
			continue
		}
		n++
		at := filepath.Join(root, strings.Replace(name, "zsh/vendor-completions", "zsh/site-functions", 1))
		a, err := os.ReadFile(filepath.Join(deb, name))
		b, err2 := os.ReadFile(at)
		info, err3 := os.Stat(at)
		if err != nil || err2 != nil || err3 != nil || !bytes.Equal(a, b) || info.Mode() != mode {
			t.Errorf("%s differs from the deb's: %v, %v, %v", name, err, err2, err3)
		}
	}
	list := output(t, "rpm", "-qp", "--queryformat", `[%{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME} %{FILENAMES}\n]`, file)
	for line := range strings.Lines(string(list)) {
		if !strings.Contains(line, " root:root ") {
			t.Error(line)
		}
		if line[0] == '-' {
			n--
		}
	}
	if n != 0 {
		t.Errorf("%d files fewer than in the deb:\n%s", n, list)
	}
	if host := output(t, "rpm", "-qp", "--queryformat", "%{BUILDHOST}", file); string(host) != "localhost" {
		t.Errorf("built on %s", host)
	}
}
