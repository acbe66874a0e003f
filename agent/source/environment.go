package source

import (
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/cwagent/cwagent/agent"
)

// passed are the agent's variables that every command gets; one that ends in "_"
// stands for all that begin so. Command's comment lists them for people.
var passed = []string{
	"HOME", "USER", "LOGNAME", "PATH", "LANG", "LANGUAGE", "LC_", "TZ", "TMPDIR", "XDG_",
	"DBUS_SESSION_BUS_ADDRESS", "SSH_AUTH_SOCK", "DISPLAY", "WAYLAND_DISPLAY",
	"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy",
	"SSL_CERT_FILE", "SSL_CERT_DIR",
}

// passedWindows is compared in capital letters, as Windows does.
var passedWindows = []string{
	"SYSTEMROOT", "SYSTEMDRIVE", "WINDIR", "COMSPEC", "PATHEXT", "TEMP", "TMP", "USERNAME", "USERPROFILE", "HOMEDRIVE", "HOMEPATH",
	"APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES",
}

// ours begins the variables that steer the agent and its plugin: a command that
// got them could end up asking the agent that waits for it.
const ours = "CWAGENT_"

const (
	pathName    = "PATH"
	defaultPath = "/usr/local/bin:/usr/bin:/bin"
)

// environment is what the program gets, and those values of it that may be
// secrets: the ones that the config speaks of, save addresses and paths, which
// are what errors are about.
func (c *Command) environment() (env, values []string, e *agent.SourceError) {
	environ := c.Environ
	if environ == nil {
		environ = os.Environ
	}
	has := map[string]string{}
	all := map[string]string{}
	for _, v := range environ() {
		name, value, _ := strings.Cut(v, "=")
		all[name] = value
		if Passed(name) {
			has[name] = value
		}
	}
	if has[pathName] == "" && runtime.GOOS != "windows" {
		has[pathName] = defaultPath
	}
	for _, v := range c.Env {
		name, value, set := strings.Cut(v, "=")
		switch {
		case name == "" || strings.ContainsRune(v, 0):
			return nil, nil, broken("an entry of its environment has no name, or a NUL in it", configHint)
		case strings.HasPrefix(strings.ToUpper(name), ours):
			return nil, nil, broken("variables that begin with "+ours+" are the agent's own", "take it out of source.command.env")
		case !set:
			if value, set = all[name]; !set {
				continue // as in a shell: what is not there is not passed on
			}
		}
		has[name] = value
		if !strings.HasPrefix(value, "/") && !strings.HasPrefix(value, "http") {
			values = append(values, value)
		}
	}
	for name, value := range has {
		env = append(env, name+"="+value)
	}
	slices.Sort(env)
	return env, values, nil
}

// Passed reports whether a program that the agent runs gets the agent's variable of
// that name.
func Passed(name string) bool {
	if runtime.GOOS == "windows" && slices.Contains(passedWindows, strings.ToUpper(name)) {
		return true
	}
	return slices.ContainsFunc(passed, func(p string) bool {
		return name == p || strings.HasSuffix(p, "_") && strings.HasPrefix(name, p)
	})
}
