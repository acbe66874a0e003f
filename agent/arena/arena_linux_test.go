package arena

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/cwagent/cwagent/ipc"
	"github.com/cwagent/cwagent/ipc/ipctest"
)

// TestMain is also the processes that are given up.
func TestMain(m *testing.M) {
	ipctest.Main(m, map[string]func([]string) int{"short": shortOfMemory, "core": dumpCore})
}

// flags are what /proc/self/smaps says of the memory at p.
func flags(p *byte) string {
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	within := false
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var from, to uintptr
		if n, _ := fmt.Sscanf(lines.Text(), "%x-%x ", &from, &to); n == 2 {
			at := uintptr(unsafe.Pointer(p))
			within = from <= at && at < to
		}
		if flags, ok := strings.CutPrefix(lines.Text(), "VmFlags:"); ok && within {
			return flags + " "
		}
	}
	return "no such memory"
}

// The kernel says that it swaps and dumps none of it.
func TestFlags(t *testing.T) {
	t.Parallel()
	a := Arena{Short: func(err error) { t.Error(err) }}
	for _, n := range []int{60, ipc.MaxPart, ipc.MaxPart + 1} {
		s := a.New(bytes.Repeat([]byte("x"), n))
		a.locked(func() {
			for _, c := range a.chunks {
				for _, at := range []int{0, len(c.memory) - 1} {
					if got := flags(&c.memory[at]); !strings.Contains(got, " lo ") || !strings.Contains(got, " dd ") {
						t.Errorf("%d bytes, byte %d of %d: %s", n, at, len(c.memory), got)
					}
				}
			}
		})
		runtime.KeepAlive(s)
	}
}

// Beyond what may be locked tokens are kept all the same, out of dumps at least, and
// that is said once.
func TestShort(t *testing.T) {
	t.Parallel()
	out, err := ipctest.Child(t, "short").Output()
	if want := "lock 65536 bytes: cannot allocate memory\nkept 4000, locked 2 of 4\n"; err != nil || string(out) != want {
		t.Errorf("%v\n%s, want\n%s", err, out, want)
	}
}

func shortOfMemory([]string) int {
	runtime.LockOSThread() // what a process may is what its thread may
	check := func(err error) {
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	check(unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: 2 * chunkSize, Max: 2 * chunkSize}))
	var none [2]unix.CapUserData
	check(unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0])) // root may lock more
	a := Arena{Short: func(err error) { fmt.Println(err) }}
	var all []ipc.Secret
	for i := range 4000 {
		all = append(all, a.New(fmt.Appendf(nil, "CW-SECRET-%050d", i)))
	}
	kept, locked := 0, 0
	for i, s := range all {
		if s.IsLent() && s.Reveal() == fmt.Sprintf("CW-SECRET-%050d", i) {
			kept++
		}
	}
	for _, c := range a.chunks {
		if strings.Contains(flags(&c.memory[0]), " lo ") {
			locked++
		}
		if !strings.Contains(flags(&c.memory[0]), " dd ") {
			fmt.Println("it would be dumped")
		}
	}
	runtime.KeepAlive(all)
	fmt.Printf("kept %d, locked %d of %d\n", kept, locked, len(a.chunks))
	return 0
}

// A core dump has no token in it, though it has the rest of the memory.
func TestCoreDump(t *testing.T) {
	t.Parallel()
	pattern, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	if err != nil || strings.ContainsAny(string(pattern), "|/%") {
		t.Skipf("cores go elsewhere here: %s", pattern)
	}
	c := ipctest.Child(t, "core")
	c.Dir, c.Stderr = t.TempDir(), nil
	c.Env = append(c.Env, "GOTRACEBACK=crash")
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	masked, err := io.ReadAll(stdout)
	if err != nil || len(masked) != 2*len(token{}) {
		t.Fatalf("%d bytes, %v", len(masked), err)
	}
	_ = c.Wait()
	if ws := c.ProcessState.Sys().(syscall.WaitStatus); !ws.CoreDump() {
		t.Fatalf("no core: %v", c.ProcessState)
	}
	cores, _ := filepath.Glob(filepath.Join(c.Dir, "core*"))
	if len(cores) != 1 {
		t.Fatalf("cores: %v", cores)
	}
	core, err := os.ReadFile(cores[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("a core of %d MB", len(core)>>20)
	kept, heap := unmask(masked[:len(token{})]), unmask(masked[len(token{}):])
	if n := bytes.Count(core, heap); n == 0 {
		t.Error("not even what rests elsewhere is in it: the test is worth nothing")
	}
	if n := bytes.Count(core, kept); n > 0 {
		t.Errorf("the token is in it %d times", n)
	}
}

type token [60]byte

func unmask(b []byte) []byte {
	b = bytes.Clone(b)
	for i := range b {
		b[i] ^= 0xff
	}
	return b
}

// dumpCore tells, in a form that is not looked for, what it keeps in an arena and what
// elsewhere, and ends by a core dump.
func dumpCore([]string) int {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY})
	var a Arena
	kept, elsewhere := make([]byte, len(token{})), make([]byte, len(token{}))
	rand.Read(kept)
	rand.Read(elsewhere)
	s := a.New(kept)
	for i := range kept {
		kept[i] ^= 0xff
	}
	os.Stdout.Write(kept)
	os.Stdout.Write(unmask(elsewhere))
	os.Stdout.Close()
	_ = syscall.Kill(os.Getpid(), syscall.SIGABRT)
	<-make(chan int)
	runtime.KeepAlive(s)
	runtime.KeepAlive(elsewhere)
	return 0
}
