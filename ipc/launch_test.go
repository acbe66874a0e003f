package ipc_test

import (
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/cwagent/cwagent/ipc"
)

// The sample of each form of the launch record is read, and the newest comes back as
// it was; nothing is started by one of a newer agent, nor by what is none.
func TestLaunchForms(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("no program has a path like that, and no plugin starts one")
	}
	b, err := os.ReadFile("testdata/launch-v1")
	if err != nil {
		t.Fatal(err)
	}
	sample := string(b)
	want := ipc.Launch{
		Socket: "/run/user/1000/cwagent/agent.sock",
		Args:   []string{"/usr/bin/cwagent", "agent", "--idle-exit", "8h"},
		Env:    []string{"HOME=/home/jane", "LANG=C.UTF-8"},
	}
	if l, ok := ipc.DecodeLaunch(b); !ok || !reflect.DeepEqual(l, want) {
		t.Errorf("%+v, %v", l, ok)
	}
	if now := string(want.Encode()); now != sample {
		t.Errorf("it came back as %q", now)
	}
	for what, text := range map[string]string{
		"newer":              strings.Replace(sample, "launch 1\x00", "launch 2\x00", 1),
		"much newer":         strings.Replace(sample, "launch 1\x00", "launch 10\x00", 1),
		"none":               "",
		"cut":                strings.Join(strings.Split(sample, "\x00")[:5], "\x00"),
		"a relative program": strings.Replace(sample, "\x00/usr/bin/", "\x00", 1),
		"no program":         strings.Replace(sample, "\x004\x00", "\x000\x00", 1),
	} {
		if l, ok := ipc.DecodeLaunch([]byte(text)); ok {
			t.Errorf("%s: %+v", what, l)
		}
	}
}
