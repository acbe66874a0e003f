package ipc

import (
	"errors"
	"runtime"
	"testing"
)

// Without a home macOS has no place for the socket: a relative path would be
// another one in each folder.
func TestSocketPathWithoutHome(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("its absolute paths are others")
	}
	for _, home := range []string{"", "Users/x"} {
		p, err := socketPath("darwin", func(name string) string { return map[string]string{"HOME": home}[name] })
		var e *Error
		if p != "" || !errors.As(err, &e) || e.Code != CodeInvalid || e.Hint == "" {
			t.Errorf("HOME=%q: %q, %v", home, p, err)
		}
	}
	const want = "/Users/x/Library/Application Support/cwagent/agent.sock"
	for name, value := range map[string]string{"HOME": "/Users/x", "CWAGENT_SOCKET": want} {
		p, err := socketPath("darwin", func(asked string) string { return map[string]string{name: value}[asked] })
		if p != want || err != nil {
			t.Errorf("%s: %q, %v", name, p, err)
		}
	}
}
