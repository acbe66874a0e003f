package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/cwagent/cwagent/agent/kubeconfig"
)

// pluginPath returns the absolute path of the plugin that is written into
// kubeconfigs: the given one, else what PATH gives, else the one beside us.
// Links are not resolved: they are what survives an upgrade.
func (c *cli) pluginPath(given string) (string, error) {
	return c.lastingPath(kubeconfig.Plugin, "--plugin-path", given)
}

// lastingPath is pluginPath for any program of ours whose path is written down, and the
// flag that gives it.
func (c *cli) lastingPath(program, flag, given string) (string, error) {
	if given != "" {
		switch {
		case !filepath.IsAbs(given):
			return "", fail("GUI programs have another PATH and folder than you", "%s %s: not an absolute path", flag, given)
		case !executable(given):
			return "", fail("name the installed "+program, "%s %s: not an executable file", flag, given)
		}
		return filepath.Clean(given), nil
	}
	var dirs []string
	for _, dir := range filepath.SplitList(c.getenv("PATH")) {
		if filepath.IsAbs(dir) {
			dirs = append(dirs, dir)
		}
	}
	if self, err := os.Executable(); err == nil {
		dirs = append(dirs, filepath.Dir(self))
	}
	for _, dir := range dirs {
		p := filepath.Join(dir, program)
		if !executable(p) {
			continue
		}
		if why := fleeting(p); why != "" {
			return "", fail("install it to a lasting place, or insist with "+flag+" "+p, "%s: %s", p, why)
		}
		return p, nil
	}
	return "", fail("install it into a folder of PATH, or use "+flag, "%s: not found in PATH", program)
}

// versioned matches folders whose name changes with each upgrade.
var versioned = regexp.MustCompile(`^(/nix/store|/gnu/store)/|/Cellar/|^(/var/lib)?/snap/[^/]+/[^/]+/`)

// fleeting returns why a path will not be there for long, or nothing.
func fleeting(path string) string {
	if versioned.MatchString(path) {
		return "this path changes with the next upgrade"
	}
	for _, dir := range []string{os.TempDir(), "/tmp", "/var/tmp", "/dev/shm"} {
		if strings.HasPrefix(path, filepath.Clean(dir)+string(filepath.Separator)) {
			return "it lies in a temporary folder"
		}
	}
	return ""
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && (info.Mode()&0o111 != 0 || strings.HasSuffix(path, ".exe"))
}
