//go:build linux

package keyringtest

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc/ipctest"
)

// gcrPrompter is what shows the prompts of gnome-keyring on desktops other than
// GNOME, whose shell does it itself.
const gcrPrompter = "/usr/libexec/gcr-prompter"

// Blind is the Prompter of a session that has one and no screen, as over ssh.
const Blind = "/usr/bin/env -u DISPLAY -u WAYLAND_DISPLAY " + gcrPrompter

// A Screen is an X display, and the person who sits at it. No window manager runs:
// the prompter takes the keyboard for itself.
type Screen struct {
	t       testing.TB
	display string
	last    string // the window of the last prompt
}

// NewScreen starts a display that ends with the test. Where a program for it is
// missing the test is skipped, or fails if CI=true.
func NewScreen(t testing.TB) *Screen {
	t.Helper()
	for program, pkg := range map[string]string{"Xvfb": "xvfb", "xdotool": "xdotool", gcrPrompter: "gcr"} {
		if _, err := exec.LookPath(program); err != nil {
			ipctest.Skip(t, fmt.Sprintf("not installed: %s (Debian: %s)", program, pkg))
		}
	}
	// Xvfb can choose a number itself, and two at once choose the same. Without
	// -noreset it begins anew when the only program there ends, such as an xdotool.
	number := strconv.Itoa(os.Getpid()*100 + int(screens.Add(1)))
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	k := &Keyring{dir: t.TempDir()}
	p, err := k.spawn("", []*os.File{w}, "Xvfb", ":"+number, "-displayfd", "3", "-screen", "0", "800x600x24", "-nolisten", "tcp", "-noreset")
	_ = w.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.kill(); _ = os.Remove("/tmp/.X11-unix/X" + number) })
	if _, err := bufio.NewReader(r).ReadString('\n'); err != nil { // it tells when it can be used
		p.kill()
		t.Fatalf("keyring test: Xvfb: %v: %s", err, &p.stderr)
	}
	return &Screen{t: t, display: ":" + number}
}

// screens are those that this process has had so far.
var screens atomic.Int32

// Prompter is the command that shows prompts here.
func (s *Screen) Prompter() string {
	return "/usr/bin/env NO_AT_BRIDGE=1 DISPLAY=" + s.display + " " + gcrPrompter
}

// Prompted waits until a prompt is shown, after the last Prompted another one.
// What is typed goes to it, even before it takes the keyboard for itself.
func (s *Screen) Prompted() {
	s.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		for _, window := range s.prompts() {
			if window == s.last {
				continue
			}
			if _, err := s.tool("windowfocus", "--sync", window); err == nil { // or it is gone already
				s.last = window
				return
			}
		}
	}
	s.t.Fatal("keyring test: no prompt is shown")
}

// Type types text into the prompt and presses a key after it, such as Return or
// Escape.
func (s *Screen) Type(text, key string) {
	s.t.Helper()
	if text != "" {
		s.do("type", "--delay", "1", text)
	}
	s.do("key", key)
}

// Gone waits until no prompt is shown.
func (s *Screen) Gone() {
	s.t.Helper()
	for end := time.Now().Add(patience); len(s.prompts()) > 0; {
		if time.Now().After(end) {
			s.t.Fatal("keyring test: the prompt is still there")
		}
	}
	s.last = "" // another prompter may have the same number
}

// prompts are the windows of prompts.
func (s *Screen) prompts() []string {
	out, err := s.tool("search", "--onlyvisible", "--class", "gcr-prompter")
	if err != nil {
		return nil
	}
	return strings.Fields(out)
}

func (s *Screen) do(args ...string) {
	s.t.Helper()
	if out, err := s.tool(args...); err != nil {
		s.t.Fatalf("keyring test: xdotool %s: %v: %s", args[0], err, out)
	}
}

func (s *Screen) tool(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, "xdotool", args...)
	c.Env = []string{"DISPLAY=" + s.display, "PATH=" + os.Getenv("PATH")}
	out, err := c.CombinedOutput()
	return string(out), err
}

// services is the folder of what the bus starts.
func (k *Keyring) services() string { return filepath.Join(k.dir, "services") }

// install lets the bus start a prompter.
func (k *Keyring) install(prompter string) error {
	if err := os.MkdirAll(k.services(), 0o700); err != nil || prompter == "" {
		return err
	}
	for _, name := range []string{"SystemPrompter", "PrivatePrompter"} {
		text := "[D-BUS Service]\nName=org.gnome.keyring." + name + "\nExec=" + prompter + "\n"
		if err := os.WriteFile(filepath.Join(k.services(), name+".service"), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}
