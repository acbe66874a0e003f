package kubeconfig

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// telling is the least length of a token that is looked for elsewhere in the
// file: a shorter one could be anything.
const telling = 8

// A finder looks for many tokens in one pass: by their last bytes, since their
// first ones are all alike.
type finder struct {
	likely [1 << 16]bool    // by slot
	tokens map[uint64][]int // indices into File.Users, by the last bytes
	users  []User
}

func newFinder(f *File, changes []Change) *finder {
	s := &finder{tokens: map[uint64][]int{}, users: f.Users}
	for _, c := range changes {
		token := f.Users[c.User].Token.Reveal()
		if len(token) < telling {
			continue
		}
		tail := binary.LittleEndian.Uint64([]byte(token[len(token)-telling:]))
		s.likely[slot(tail)] = true
		s.tokens[tail] = append(s.tokens[tail], c.User)
	}
	return s
}

// slot spreads the bits of x (Fibonacci hashing).
func slot(x uint64) uint16 { return uint16(x * 0x9e3779b97f4a7c15 >> 48) }

// all returns the users whose token stands in text, but those that it has returned
// before: thousands may have one token.
func (s *finder) all(text []byte) (users []int) {
	for end := telling; end <= len(text); end++ {
		tail := binary.LittleEndian.Uint64(text[end-telling:])
		if !s.likely[slot(tail)] {
			continue
		}
		s.tokens[tail] = slices.DeleteFunc(s.tokens[tail], func(i int) bool {
			found := bytes.HasSuffix(text[:end], []byte(s.users[i].Token.Reveal()))
			if found {
				users = append(users, i)
			}
			return found
		})
	}
	return users
}

// checkLeftovers refuses an edit that would leave a token in the file, in a
// comment or under another key, where it would be forgotten.
func (f *File) checkLeftovers(edited []byte, changes []Change) error {
	if left := newFinder(f, changes).all(edited); len(left) > 0 {
		return f.refuseLeftover(left[0], changes)
	}
	return nil
}

func (f *File) refuseLeftover(user int, changes []Change) error {
	u := &f.Users[user]
	for i := range f.Users {
		o := &f.Users[i]
		keeps := !slices.ContainsFunc(changes, func(c Change) bool { return c.User == i })
		if !keeps || !o.Token.Equal(u.Token) {
			continue
		}
		hint := "import both together, or remove it there"
		if o.Beside != "" {
			hint = "it has " + o.Beside + " beside it: remove the one that you do not want, then import again"
		}
		return f.refuseLine(o.Line, "user "+o.shown()+" has the token of user "+u.shown()+", too, and would keep it", hint)
	}
	return f.refuseLine(f.otherLine([]byte(u.Token.Reveal()), u.Line), "the token of user "+u.shown()+" stands here as well",
		"remove it there, in a comment perhaps, then import again")
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
