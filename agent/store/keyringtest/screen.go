//go:build linux

package keyringtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
	x       *process
	display string
	last    string // the window of the last prompt
}

// NewScreen starts a display that ends with the test. Where a program for it is
// missing the test is skipped, or fails if CI=true.
func NewScreen(t testing.TB) *Screen {
	t.Helper()
	if err := ScreenMissing(); err != nil {
		ipctest.Skip(t, err.Error())
	}
	s, err := StartScreen(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// ScreenMissing is Missing for a screen.
func ScreenMissing() error {
	for _, p := range []string{"Xvfb", "xdotool", gcrPrompter} {
		if _, err := exec.LookPath(p); err != nil {
			return fmt.Errorf("not installed: %s (Debian: xvfb xdotool gcr)", p)
		}
	}
	return nil
}

// screens are those that this process has had so far.
var screens atomic.Int32

// StartScreen returns when the display can be used; dir is where it runs.
func StartScreen(dir string) (*Screen, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	// Xvfb can choose a number itself, and two at once choose the same. Without
	// -noreset it begins anew when the only program there ends, such as an xdotool.
	s := &Screen{display: fmt.Sprintf(":%d", os.Getpid()*100+int(screens.Add(1)))}
	k := &Keyring{dir: dir}
	s.x, err = k.spawn("", []*os.File{w}, "Xvfb", s.display, "-displayfd", "3", "-screen", "0", "800x600x24", "-nolisten", "tcp", "-noreset")
	_ = w.Close()
	if err != nil {
		return nil, err
	}
	if _, err := bufio.NewReader(r).ReadString('\n'); err != nil { // it tells when it can be used
		s.Close()
		return nil, fmt.Errorf("keyring test: Xvfb: %w: %s", err, &s.x.stderr)
	}
	return s, nil
}

// Close ends the display, and with it what shows something there.
func (s *Screen) Close() {
	s.x.kill()
	_ = os.Remove("/tmp/.X11-unix/X" + s.display[1:])
}

// Display is what leads a program to it.
func (s *Screen) Display() string { return "DISPLAY=" + s.display }

// Prompter is the command that shows prompts here.
func (s *Screen) Prompter() string {
	return "/usr/bin/env NO_AT_BRIDGE=1 DISPLAY=" + s.display + " " + gcrPrompter
}

// Prompted waits until a prompt is shown, after the last Prompted another one.
// What is typed goes to it, even before it takes the keyboard for itself.
func (s *Screen) Prompted() error {
	for end := time.Now().Add(patience); time.Now().Before(end); {
		for _, window := range s.prompts() {
			if window == s.last {
				continue
			}
			if _, err := s.xdotool("windowfocus", "--sync", window); err == nil { // or it is gone already
				s.last = window
				return nil
			}
		}
	}
	return errors.New("keyring test: no prompt is shown")
}

// Type types text into the prompt and presses a key after it, such as Return or
// Escape.
func (s *Screen) Type(text, key string) error {
	if text != "" {
		if _, err := s.xdotool("type", "--delay", "1", text); err != nil {
			return err
		}
	}
	_, err := s.xdotool("key", key)
	return err
}

// Answer is Prompted and Type.
func (s *Screen) Answer(text, key string) error {
	if err := s.Prompted(); err != nil {
		return err
	}
	return s.Type(text, key)
}

// Unlock answers a prompt with the password, until it is content: what is typed before
// its window has drawn itself may be lost in part.
func (s *Screen) Unlock() error {
	if err := s.Prompted(); err != nil {
		return err
	}
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if err := s.Type(Password, "Return"); err != nil {
			return err
		}
		for wait := time.Now().Add(time.Second); time.Now().Before(wait); {
			if s.Empty() {
				return nil
			}
		}
	}
	return errors.New("keyring test: the prompt does not take the password")
}

// Gone waits until no prompt is shown.
func (s *Screen) Gone() error {
	for end := time.Now().Add(patience); !s.Empty(); {
		if time.Now().After(end) {
			return errors.New("keyring test: the prompt is still there")
		}
	}
	s.last = "" // another prompter may have the same number
	return nil
}

// Empty reports whether no prompt is shown.
func (s *Screen) Empty() bool { return len(s.prompts()) == 0 }

// prompts are the windows of prompts.
func (s *Screen) prompts() []string {
	out, err := s.xdotool("search", "--onlyvisible", "--class", "gcr-prompter")
	if err != nil {
		return nil
	}
	return strings.Fields(out)
}

func (s *Screen) xdotool(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, "xdotool", args...)
	c.Env = []string{"DISPLAY=" + s.display, "PATH=" + os.Getenv("PATH")}
	out, err := c.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("keyring test: xdotool %s: %w: %s", args[0], err, out)
	}
	return string(out), nil
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
