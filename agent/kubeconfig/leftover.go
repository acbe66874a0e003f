package kubeconfig

import (
	"bytes"
	"fmt"
)

// telling is the least length of a token that is looked for elsewhere in the
// file: a shorter one could be anything.
const telling = 8

// checkLeftovers refuses an edit that would leave a token in the file, in a
// comment or under another key, where it would be forgotten.
func (f *File) checkLeftovers(edited []byte, changes []Change) error {
	for _, c := range changes {
		u := f.Users[c.User]
		token := []byte(u.Token.Reveal())
		if len(token) < telling || !bytes.Contains(edited, token) {
			continue
		}
		return f.refuseLine(f.otherLine(token, u.Line), fmt.Sprintf("the token of user %q stands here as well", u.Name),
			"remove it there, in a comment perhaps, then import again")
	}
	return nil
}

// otherLine returns the first line but one that holds token.
func (f *File) otherLine(token []byte, but int) int {
	n := 0
	for line := range bytes.Lines(f.text) {
		if n++; n != but && bytes.Contains(line, token) {
			return n
		}
	}
	return but
}
