//go:build linux || darwin

package peer_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/cwagent/cwagent/ipc/ipctest"
	"github.com/cwagent/cwagent/ipc/peer"
)

// What a process runs, as long as it does, and no longer.
func TestLook(t *testing.T) {
	t.Parallel()
	path, l := listen(t)
	cmd := ipctest.Child(t, "connect", path)
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	exe, err := filepath.EvalSymlinks(cmd.Path)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Dir, cmd.Args[0] = dir, "/usr/bin/kubectl"
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, _ = accept(t, l); t.Failed() {
		return
	}
	p := process(cmd.Process.Pid)
	want := peer.Program{Name: "kubectl", Exe: exe, Dir: dir, Parent: process(os.Getpid())}
	if runtime.GOOS == "darwin" {
		want.Dir = ""
	}
	got, err := peer.Look(p)
	if got != want || err != nil {
		t.Errorf("%+v, want %+v; %v", got, want, err)
	}
	if got, err := peer.Look(peer.Process{PID: p.PID, Start: p.Start + 1}); err == nil || got != (peer.Program{}) {
		t.Errorf("another process of that pid: %+v, %v", got, err)
	}
	stdin.Close()
	_ = cmd.Wait() // only that it has ended counts
	if got, err := peer.Look(p); err == nil || got != (peer.Program{}) {
		t.Errorf("after its end: %+v, %v", got, err)
	}
}

func BenchmarkLook(b *testing.B) {
	p := process(os.Getpid())
	b.ReportAllocs()
	for b.Loop() {
		if _, err := peer.Look(p); err != nil {
			b.Fatal(err)
		}
	}
}
