package ipctest

import (
	"os"
	"os/exec"
	"testing"
)

// childVar makes the test binary be one of the programs that [Main] knows.
const childVar = "CWAGENT_TEST_CHILD"

// Main is the body of a TestMain whose binary also is other programs: peers,
// agents and plugins have to be processes of their own to be told apart.
func Main(m *testing.M, programs map[string]func(args []string) int) {
	if run := programs[os.Getenv(childVar)]; run != nil {
		os.Exit(run(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// Child returns a command that runs the test binary as one of its programs. It
// is killed when the test ends, and its stderr is the test's.
func Child(t testing.TB, program string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe, args...)
	cmd.Env = append(os.Environ(), childVar+"="+program,
		"GORACE=atexit_sleep_ms=0") // or a child built with -race takes a second to exit
	cmd.Stderr = os.Stderr
	return cmd
}

// Skip skips a test that cannot run here; with CI=true that is a failure,
// because there everything has to run.
func Skip(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal("cannot run here: " + why)
	}
	t.Skip(why)
}
