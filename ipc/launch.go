package ipc

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A Launch is how a person has started an agent: what the plugin does again where
// no service manager does it. It is found by the user's id alone: whoever writes a
// kubeconfig can set variables for the plugin, but not say what is started.
type Launch struct {
	Socket string   // where that agent listens
	Args   []string // the program, by its absolute path, and its arguments
	Env    []string // NAME=value; no secret
}

// launchForm is the first word of the file.
const launchForm = "cwagent launch 1"

// LaunchPath is where the Launch lies: beside the socket that has no variables in
// its path.
func LaunchPath() string { return filepath.Join(userDir(), "launch") }

// userDir is where the agent listens if no variable says otherwise.
func userDir() string {
	if dir := "/run/user/" + strconv.Itoa(os.Getuid()); checkPrivate(dir) == nil {
		return filepath.Join(dir, "cwagent")
	}
	return TempDir()
}

// Encode returns the text of the file.
func (l Launch) Encode() []byte {
	words := append([]string{launchForm, l.Socket, strconv.Itoa(len(l.Args))}, l.Args...)
	return []byte(strings.Join(append(words, l.Env...), "\x00"))
}

// DecodeLaunch is the reverse of Encode.
func DecodeLaunch(b []byte) (l Launch, ok bool) {
	words := strings.Split(string(b), "\x00")
	if len(words) < 4 || words[0] != launchForm {
		return Launch{}, false
	}
	n, err := strconv.Atoi(words[2])
	if err != nil || n < 1 || n > len(words)-3 || !filepath.IsAbs(words[3]) {
		return Launch{}, false
	}
	return Launch{words[1], words[3 : 3+n], words[3+n:]}, true
}
