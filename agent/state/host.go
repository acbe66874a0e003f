package state

import (
	"os"
	"strings"
)

// Host is this machine's name, as a part of the name of a file: machines that share
// a HOME have files of their own in the state folder.
func Host() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "localhost"
	}
	return cleanHost(name)
}

func cleanHost(name string) string {
	const most = 63 // a label of DNS; some file systems have names of 143 bytes only
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '.', r == '_':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '_'
	}, name[:min(len(name), most)])
}
