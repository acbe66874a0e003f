package arena

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc"
)

// collect has the garbage collector look until done says that it has seen enough.
// What is given back is so at some time after that.
func collect(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("nothing was given back")
		}
		runtime.GC()
	}
}

// locked calls f where nothing in the arena changes.
func (a *Arena) locked(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
}

// free is how many bytes nobody has, and whether all of them are zero.
func (a *Arena) free() (n int, zero bool) {
	zero = true
	a.locked(func() {
		for _, c := range a.chunks {
			for _, e := range c.free {
				n += e.size
				zero = zero && len(bytes.Trim(c.memory[e.at:e.at+e.size], "\x00")) == 0
			}
		}
	})
	return n, zero
}

func (a *Arena) size() (n int) {
	a.locked(func() {
		for _, c := range a.chunks {
			n += len(c.memory)
		}
	})
	return n
}

func TestKeep(t *testing.T) {
	t.Parallel()
	var a Arena
	s := a.Keep(ipc.NewSecret("CW-SECRET-x"))
	b := []byte("CW-SECRET-y")
	other := a.New(b)
	clear(b)
	switch {
	case s.Reveal() != "CW-SECRET-x" || !s.IsLent():
		t.Error("it is not kept")
	case other.Reveal() != "CW-SECRET-y":
		t.Error("it still is the caller's")
	case a.Keep(s) != s:
		t.Error("kept twice")
	case a.Keep(ipc.Secret{}) != ipc.Secret{} || !a.New(nil).Empty():
		t.Error("something was made of nothing")
	}
	if free, _ := a.free(); free != chunkSize-2*grain {
		t.Errorf("%d bytes are free", free)
	}
	runtime.KeepAlive(s)
	runtime.KeepAlive(other)
}

// A thousand tokens as long as CoreWeave's fit into a hundredth of what a person
// may lock.
func TestPacking(t *testing.T) {
	t.Parallel()
	var a Arena
	var all []ipc.Secret
	for i := range 1000 {
		all = append(all, a.New(fmt.Appendf(nil, "CW-SECRET-%050d", i)))
	}
	t.Logf("1,000 tokens of 60 bytes rest in %d KiB", a.size()>>10)
	if a.size() > 64<<10 {
		t.Error("that is too much")
	}
	for i, s := range all {
		if s.Reveal() != fmt.Sprintf("CW-SECRET-%050d", i) {
			t.Fatalf("%d is another", i)
		}
	}
}

// What nobody has any more is cleared, its room is used again, and memory beyond
// the first chunk goes back to the system.
func TestCleared(t *testing.T) {
	t.Parallel()
	var a Arena
	stays := a.New([]byte("stays"))
	for range 3 {
		func() {
			var all []ipc.Secret
			for i := range 2500 {
				all = append(all, a.New(fmt.Appendf(nil, "CW-SECRET-%050d", i)))
			}
			large := a.New(bytes.Repeat([]byte("x"), ipc.MaxPart))
			if size := a.size(); size != 3*chunkSize+ipc.MaxPart {
				t.Errorf("it takes %d KiB", size>>10)
			}
			runtime.KeepAlive(all)
			runtime.KeepAlive(large)
		}()
		collect(t, func() bool { return a.size() == chunkSize })
		collect(t, func() bool { n, _ := a.free(); return n == chunkSize-grain })
		if _, zero := a.free(); !zero {
			t.Fatal("something is left of them")
		}
	}
	if stays.Reveal() != "stays" {
		t.Error("cleared, and somebody has it")
	}
}

// Whatever comes and goes, in whatever order: everybody reads what is theirs, what is
// free is zero, and nothing is lost.
func TestAnyOrder(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	var a Arena
	type room struct {
		bytes []byte
		back  func()
		want  []byte
	}
	var model []room
	used := 0
	for i := range 20_000 {
		if len(model) > 0 && r.IntN(100) < 48 {
			j := r.IntN(len(model))
			m := model[j]
			if !bytes.Equal(m.bytes, m.want) {
				t.Fatalf("seed %d, step %d: it is another's", seed, i)
			}
			m.back()
			used -= grains(len(m.want))
			model[j] = model[len(model)-1]
			model = model[:len(model)-1]
		} else {
			n := 1 + r.IntN(200)
			if r.IntN(500) == 0 {
				n = 1 + r.IntN(ipc.MaxPart)
			}
			m := room{want: bytes.Repeat([]byte{byte(1 + i%255)}, n)}
			if m.bytes, m.back = a.take(n); len(bytes.Trim(m.bytes, "\x00")) > 0 || cap(m.bytes) != n {
				t.Fatalf("seed %d, step %d: not cleared", seed, i)
			}
			copy(m.bytes, m.want)
			used += grains(n)
			model = append(model, m)
		}
		if i%100 == 0 {
			if free, zero := a.free(); !zero || used+free != a.size() {
				t.Fatalf("seed %d, step %d: %d of %d bytes are used and %d free, zero %v", seed, i, used, a.size(), free, zero)
			}
		}
	}
	for _, m := range model {
		m.back()
	}
	if len(a.chunks) != 1 || !a.chunks[0].empty() {
		t.Errorf("seed %d: %d chunks are left", seed, len(a.chunks))
	}
}

// While others come and go, and the garbage collector looks, a reader sees its own
// token, whole, however short the time that it has it.
func TestReaders(t *testing.T) {
	t.Parallel()
	var a Arena
	ended := make(chan struct{})
	var collecting, reading sync.WaitGroup
	collecting.Go(func() {
		for {
			select {
			case <-ended:
				return
			default:
				runtime.GC()
			}
		}
	})
	for who := range 8 {
		reading.Go(func() {
			for i := range 2000 {
				want := strings.Repeat(fmt.Sprintf("%d-%d.", who, i), 1+i%20)
				s := a.New([]byte(want))
				if i%2 == 0 {
					s = a.Keep(ipc.NewSecret(want))
				}
				same := ipc.NewSecret(want)
				if got := string(s.Append(nil)); got != want || !s.Equal(same) {
					t.Errorf("%q, want %q", got, want)
				}
				s.Read(func(got string) {
					if got != want {
						t.Errorf("%q, want %q", got, want)
					}
				})
				if text := s.Reveal(); text != want { // s is nobody's after that
					t.Errorf("%q, want %q", text, want)
				}
			}
		})
	}
	reading.Wait()
	close(ended)
	collecting.Wait()
	collect(t, func() bool { n, zero := a.free(); return zero && n == a.size() })
}

func BenchmarkKeep(b *testing.B) {
	var a Arena
	s := ipc.NewSecret(strings.Repeat("x", 60))
	b.ReportAllocs()
	for b.Loop() {
		a.Keep(s)
	}
}
