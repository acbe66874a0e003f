package peer

import (
	"bytes"
	"path"
	"strings"
)

// A Program is what a process runs, as far as it may be shown.
type Program struct {
	Name   string  // as its command line begins: "kubectl get pods"; "?" where that cannot be told
	Exe    string  // path of its file; empty where that cannot be told
	Dir    string  // where it stands; likewise (never told on macOS, which shows it to C libraries only)
	Parent Process // zero where there is none to be seen
}

// Look returns what p runs. A process that has ended, or whose pid is another one's by
// now, is an error: what is returned has been read of p and of no other one.
func Look(p Process) (Program, error) {
	begun, ppid, err := stat(p.PID)
	if err != nil {
		return Program{}, err
	}
	if begun != p.Start {
		return Program{}, errOther
	}
	argv, exe, dir := look(p.PID)
	// A pid is given to another process only after its own has ended: one that is
	// p's before and after was p's in between.
	if begun, _, err = stat(p.PID); err != nil {
		return Program{}, err
	}
	if begun != p.Start {
		return Program{}, errOther
	}
	return Program{Name: name(argv, exe), Exe: exe, Dir: dir, Parent: parent(ppid, p.Start)}, nil
}

// Arguments hold secrets: `--token=...`, a URL with a password, a password by itself.
// What is shown of them are two words at most, the first ones, as long as they could
// be the names of a subcommand and its object.
const (
	shownWords  = 2
	longestWord = 25 // customresourcedefinitions; a token is longer
	ourToken    = "cw-secret-"
)

// name returns what is shown of a command line, arguments that end with a NUL. exe
// is the path of the program, for where it has no name that could be shown.
func name(argv []byte, exe string) string {
	first, rest, _ := bytes.Cut(argv, []byte{0})
	shown := base(string(first))
	if shown == "" {
		shown = base(exe)
	}
	if shown == "" {
		return "?"
	}
	for range shownWords {
		var arg []byte
		var whole bool
		if arg, rest, whole = bytes.Cut(rest, []byte{0}); !whole || !plain(arg) {
			break
		}
		shown += " " + string(arg)
	}
	return shown
}

// base is the last part of a program's path, if it looks like the name of one. A login
// shell's begins with "-"; a daemon writes what it does after a colon or a space.
func base(arg string) string {
	if i := strings.IndexAny(arg, ": "); i >= 0 {
		arg = arg[:i]
	}
	s := strings.TrimPrefix(path.Base(arg), "-")
	if s == "." || s == "/" || len(s) > longestWord || strings.Contains(strings.ToLower(s), ourToken) {
		return ""
	}
	for i := range len(s) {
		if c := s[i]; !letter(c|0x20) && !digit(c) && strings.IndexByte("._+-", c) < 0 {
			return ""
		}
	}
	return s
}

// plain reports whether an argument is a word of small letters, digits and "-".
func plain(arg []byte) bool {
	if len(arg) == 0 || len(arg) > longestWord || !letter(arg[0]) {
		return false
	}
	for _, c := range arg {
		if !letter(c) && !digit(c) && c != '-' {
			return false
		}
	}
	return !bytes.Contains(arg, []byte(ourToken))
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' }

func digit(c byte) bool { return c >= '0' && c <= '9' }
