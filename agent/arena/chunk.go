package arena

import (
	"slices"
	"unsafe"
)

// grain is where tokens begin, in bytes: what is left over of it is what packing
// costs, 8 bytes a token.
const grain = 16

// A chunk is memory from which room is taken, the first that is large enough. Tokens
// come rarely and are alike in size: nothing cleverer packs them better.
type chunk struct {
	memory []byte
	free   []extent // by place; no two of them touch
}

// An extent is a part of a chunk, in bytes.
type extent struct{ at, size int }

func newChunk(memory []byte) *chunk { return &chunk{memory, []extent{{0, len(memory)}}} }

func (c *chunk) empty() bool { return len(c.free) == 1 && c.free[0].size == len(c.memory) }

// take returns n bytes that are zero, or nil if there are not as many in one place.
func (c *chunk) take(n int) []byte {
	size := grains(n)
	i := slices.IndexFunc(c.free, func(e extent) bool { return e.size >= size })
	if i < 0 {
		return nil
	}
	e := &c.free[i]
	room := c.memory[e.at : e.at+n : e.at+n]
	e.at, e.size = e.at+size, e.size-size
	if e.size == 0 {
		c.free = slices.Delete(c.free, i, i+1)
	}
	return room
}

// give takes room back that take gave.
func (c *chunk) give(room []byte) {
	at := int(uintptr(unsafe.Pointer(&room[0])) - uintptr(unsafe.Pointer(&c.memory[0])))
	back := extent{at, grains(len(room))}
	i, _ := slices.BinarySearchFunc(c.free, at, func(e extent, at int) int { return e.at - at })
	if i < len(c.free) && back.at+back.size == c.free[i].at {
		back.size += c.free[i].size
		c.free = slices.Delete(c.free, i, i+1)
	}
	if i > 0 && c.free[i-1].at+c.free[i-1].size == back.at {
		c.free[i-1].size += back.size
		return
	}
	c.free = slices.Insert(c.free, i, back)
}

func grains(n int) int { return (n + grain - 1) / grain * grain }
