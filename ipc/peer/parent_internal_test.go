//go:build linux || darwin

package peer

import (
	"os"
	"os/exec"
	"testing"
)

// Between the look at a process and the look at its parent, that may have ended
// and its pid be another's.
func TestParentThatIsNoMore(t *testing.T) {
	t.Parallel()
	start, err := StartTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if p := parent(os.Getpid(), start); p != (Process{os.Getpid(), start}) {
		t.Errorf("alive, and yet %+v", p)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	for what, p := range map[string]Process{
		"a parent that has ended":              parent(cmd.Process.Pid, ^uint64(0)),
		"a parent that is younger":             parent(os.Getpid(), start-1),
		"a parent out of sight":                parent(0, start),
		"a parent that the kernel cannot mean": parent(-1, start),
	} {
		if p != (Process{}) {
			t.Errorf("%s: %+v", what, p)
		}
	}
}
