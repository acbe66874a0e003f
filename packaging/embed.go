// Package packaging holds what is installed beside the programs. The code that
// installs the units embeds the very files that packages ship.
package packaging

import (
	_ "embed"
	"encoding/xml"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The names under which service managers know us.
const (
	ServiceUnit  = "cwagent.service"
	SocketUnit   = "cwagent.socket"
	LaunchdLabel = "com.github.cwagent"
)

var (
	//go:embed systemd/cwagent.service
	service string
	//go:embed systemd/cwagent.socket
	socket string
	//go:embed launchd/com.github.cwagent.plist
	plist string
)

// Service is the unit of the agent for systemd's user manager, with the program at
// an absolute path. systemd refuses, or takes for something else, what it has no way
// to quote in the path of a program.
func Service(program string) (string, error) {
	if i := strings.IndexFunc(program, unquotable); i >= 0 {
		r, _ := utf8.DecodeRuneInString(program[i:])
		return "", fmt.Errorf("systemd starts no program with %q in its path: %q", string(r), program)
	}
	return strings.Replace(service, "ExecStart=/usr/bin/cwagent ", "ExecStart="+unitWord(program)+" ", 1), nil
}

func unquotable(r rune) bool {
	return unicode.IsControl(r) || r == utf8.RuneError || strings.ContainsRune(`$"'\`, r)
}

// Socket is the unit of its socket.
func Socket() string { return socket }

// plain is a path that needs no quotes.
var plain = regexp.MustCompile(`^[A-Za-z0-9/._-]+$`)

// unitWord quotes a path as systemd.service(5) wants it.
func unitWord(path string) string {
	if plain.MatchString(path) {
		return path
	}
	return `"` + strings.ReplaceAll(path, "%", "%%") + `"`
}

// Plist is the agent's property list for launchd, which is not to be told where it
// is but by absolute paths.
func Plist(program, log string) string {
	return strings.NewReplacer(
		"/usr/local/bin/cwagent<", text(program)+"<", "/Users/me/Library/Logs/cwagent/agent.log", text(log),
	).Replace(plist)
}

func text(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder takes everything
	return b.String()
}
