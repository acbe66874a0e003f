package config

import (
	"path/filepath"
	"runtime"

	"github.com/cwagent/cwagent/ipc"
)

// Path returns where the file is, the first that applies of
//
//	$CWAGENT_CONFIG
//	~/Library/Application Support/cwagent/config.yaml   (macOS)
//	$XDG_CONFIG_HOME/cwagent/config.yaml
//	~/.config/cwagent/config.yaml
//
// getenv is os.Getenv.
func Path(getenv func(string) string) (string, error) {
	if p := getenv("CWAGENT_CONFIG"); p != "" {
		return absolute("CWAGENT_CONFIG", p)
	}
	dir, err := folder(getenv, "XDG_CONFIG_HOME", "AppData", ".config")
	return filepath.Join(dir, "config.yaml"), err
}

// StateDir returns where the agent keeps what it learns, and no secret in clear: the
// first that applies of
//
//	$CWAGENT_STATE_DIR
//	~/Library/Application Support/cwagent   (macOS)
//	$XDG_STATE_HOME/cwagent
//	~/.local/state/cwagent
//
// It only names the folder. getenv is os.Getenv.
func StateDir(getenv func(string) string) (string, error) {
	if p := getenv("CWAGENT_STATE_DIR"); p != "" {
		return absolute("CWAGENT_STATE_DIR", p)
	}
	return folder(getenv, "XDG_STATE_HOME", "LocalAppData", filepath.Join(".local", "state"))
}

// folder returns ours below the system's. On macOS the XDG variables do not
// count: what launchd starts does not see those of a shell, and agent and
// commands would look at different files. Elsewhere a relative one does not
// count either, as the XDG specification says.
func folder(getenv func(string) string, xdg, windows, below string) (string, error) {
	home := getenv("HOME")
	switch runtime.GOOS {
	case "windows":
		if dir := getenv(windows); filepath.IsAbs(dir) {
			return filepath.Join(dir, "cwagent"), nil
		}
		home = getenv("USERPROFILE")
	case "darwin":
		below = filepath.Join("Library", "Application Support")
	default:
		if dir := getenv(xdg); filepath.IsAbs(dir) {
			return filepath.Join(dir, "cwagent"), nil
		}
	}
	if !filepath.IsAbs(home) {
		return "", &ipc.Error{Code: ipc.CodeInvalid, What: "HOME: not set, or not an absolute path", Hint: "set HOME"}
	}
	return filepath.Join(home, below, "cwagent"), nil
}

func absolute(name, path string) (string, error) {
	if !filepath.IsAbs(path) {
		return "", &ipc.Error{
			Code: ipc.CodeInvalid, What: name + ": " + path + " is not an absolute path",
			Hint: "the agent runs in another folder than your shell",
		}
	}
	return filepath.Clean(path), nil
}
