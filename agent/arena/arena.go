package arena

import (
	"os"
	"slices"
	"sync"
	"unsafe"

	"github.com/cwagent/cwagent/ipc"
)

// chunkSize is how much memory is asked for at a time, in bytes.
const chunkSize = 64 << 10

// An Arena keeps secrets. The zero value is ready.
type Arena struct {
	// Short is called once, where the system does not lock or give memory, with
	// the reason. It must not call the Arena. It may be nil.
	Short func(error)

	tell   sync.Once
	mu     sync.Mutex
	chunks []*chunk
}

// Keep returns s as a secret that rests in the arena. Empty ones and those that
// rest in one already it returns as they are; likewise where there is no memory.
func (a *Arena) Keep(s ipc.Secret) ipc.Secret {
	if s.Empty() || s.IsLent() {
		return s
	}
	room, back := a.take(s.Len())
	if room == nil {
		return s
	}
	s.Append(room[:0])
	return lend(room, back)
}

// New returns a secret that rests in the arena and reads as b does now. Of b, which
// stays the caller's, nothing else is left behind.
func (a *Arena) New(b []byte) ipc.Secret {
	if len(b) == 0 {
		return ipc.Secret{}
	}
	room, back := a.take(len(b))
	if room == nil {
		return ipc.NewSecret(string(b))
	}
	copy(room, b)
	return lend(room, back)
}

func lend(room []byte, back func()) ipc.Secret {
	return ipc.Lent(unsafe.String(&room[0], len(room)), back)
}

// take returns room for n bytes and what gives it back, or nil.
func (a *Arena) take(n int) (room []byte, back func()) {
	room, back, short := a.find(n)
	if short != nil && a.Short != nil {
		a.tell.Do(func() { a.Short(short) })
	}
	return room, back
}

func (a *Arena) find(n int) (room []byte, back func(), short error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, c := range a.chunks {
		if room := c.take(n); room != nil {
			return room, func() { a.giveBack(c, room) }, nil
		}
	}
	page := os.Getpagesize()
	memory, short, err := reserve(max(chunkSize, (n+page-1)/page*page))
	if err != nil {
		return nil, nil, err
	}
	c := newChunk(memory)
	a.chunks = append(a.chunks, c)
	room = c.take(n)
	return room, func() { a.giveBack(c, room) }, short
}

// giveBack clears room, which c gave. The first chunk stays when it is empty: the
// next token is on its way, most likely.
func (a *Arena) giveBack(c *chunk, room []byte) {
	clear(room)
	a.mu.Lock()
	defer a.mu.Unlock()
	c.give(room)
	if c.empty() && len(a.chunks) > 1 {
		a.chunks = slices.DeleteFunc(a.chunks, func(o *chunk) bool { return o == c })
		release(c.memory)
	}
}
