//go:build linux

// Package desktest runs a real dunst for tests, which shows notices on an X display
// that nobody sees, and the person who sits there. Linux only.
package desktest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"

	"github.com/cwagent/cwagent/agent/store/keyringtest"
)

// patience is how long anything may take here before it counts as broken.
const patience = 15 * time.Second

const notifications = "org.freedesktop.Notifications"

// Missing reports the programs that are needed and not installed.
func Missing() error {
	for _, p := range []string{"dunst", "dunstctl", "import", "xdg-open"} {
		if _, err := exec.LookPath(p); err != nil {
			return fmt.Errorf("not installed: %s (Debian: dunst imagemagick xdg-utils)", p)
		}
	}
	return keyringtest.ScreenMissing()
}

// A Desk is a dunst, running or not. Its methods are not for concurrent use.
type Desk struct {
	dir   string
	env   []string
	dunst *exec.Cmd
	ended chan struct{}
}

// The person takes the button of the Console out of the menu of a notice that has
// several; nothing goes away by itself.
const dunstrc = `[global]
    font = Sans 11
    width = 420
    markup = full
    format = "<b>%s</b>\n%b"
    show_age_threshold = -1
    sticky_history = yes
    history_length = 100
    notification_limit = 20
    idle_threshold = 0
    dmenu = /bin/grep -m1 Console
[urgency_low]
    timeout = 0
[urgency_normal]
    timeout = 0
[urgency_critical]
    timeout = 0
`

// Start runs dunst in dir, on the bus that env leads to and on this screen.
func Start(dir string, env []string, screen *keyringtest.Screen) (*Desk, error) {
	d := &Desk{dir: dir, env: append(env, screen.Display(), "PATH="+os.Getenv("PATH"), "LANG=C.UTF-8")}
	if err := os.WriteFile(d.config(), []byte(dunstrc), 0o600); err != nil {
		return nil, err
	}
	return d, d.Restart()
}

func (d *Desk) config() string { return filepath.Join(d.dir, "dunstrc") }

// Command is how the bus starts it.
func (d *Desk) Command() string {
	return "/usr/bin/env " + d.env[len(d.env)-3] + " /usr/bin/dunst -conf " + d.config()
}

// Restart starts it, and returns when it has its name on the bus.
func (d *Desk) Restart() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := dbus.Connect(d.bus(), dbus.WithContext(ctx))
	if err != nil {
		return fmt.Errorf("desk test: bus: %w", err)
	}
	defer conn.Close()
	owned := make(chan *dbus.Signal, 16)
	conn.Signal(owned)
	err = conn.AddMatchSignalContext(ctx, dbus.WithMatchInterface("org.freedesktop.DBus"), dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, notifications))
	if err != nil {
		return err
	}
	d.dunst, d.ended = exec.Command("dunst", "-conf", d.config()), make(chan struct{})
	stderr, err := os.Create(filepath.Join(d.dir, "dunst.log")) // a pipe would be waited for
	if err != nil {
		return err
	}
	defer stderr.Close()
	d.dunst.Env, d.dunst.Stderr = d.env, stderr
	// A test binary that is killed runs no cleanup.
	d.dunst.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := d.dunst.Start(); err != nil {
		return err
	}
	go func() { _ = d.dunst.Wait(); close(d.ended) }()
	for {
		select {
		case s := <-owned:
			if s != nil && s.Name == "org.freedesktop.DBus.NameOwnerChanged" { // it is the only one that takes the name
				return nil
			}
		case <-d.ended:
			said, _ := os.ReadFile(stderr.Name())
			return fmt.Errorf("desk test: dunst ended: %s", said)
		case <-ctx.Done():
			return errors.New("desk test: dunst does not take its name")
		}
	}
}

func (d *Desk) bus() string {
	for _, kv := range d.env {
		if address, ok := strings.CutPrefix(kv, "DBUS_SESSION_BUS_ADDRESS="); ok {
			return address
		}
	}
	return ""
}

// Kill ends it as a crash does.
func (d *Desk) Kill() {
	if d.dunst != nil {
		_ = d.dunst.Process.Kill()
		<-d.ended
	}
	d.dunst = nil
}

// Stop stops it in its tracks: it is there and does not answer. It returns when that
// is so.
func (d *Desk) Stop() error {
	if err := d.dunst.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for {
		err := unix.Waitid(unix.P_PID, d.dunst.Process.Pid, nil, unix.WSTOPPED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// Continue undoes Stop.
func (d *Desk) Continue() error { return d.dunst.Process.Signal(syscall.SIGCONT) }

// Displayed is how many notices are on the screen.
func (d *Desk) Displayed() (n int, err error) {
	out, err := d.run("dunstctl", "count", "displayed")
	if err == nil {
		_, err = fmt.Sscan(out, &n)
	}
	return n, err
}

// Await waits until that many are.
func (d *Desk) Await(n int) error {
	last := -1
	for end := time.Now().Add(patience); time.Now().Before(end); {
		var err error
		if last, err = d.Displayed(); err == nil && last == n {
			return nil
		}
	}
	return fmt.Errorf("desk test: %d notices are shown, not %d", last, n)
}

// Press presses the button of the Console of the newest notice.
func (d *Desk) Press() error { _, err := d.run("dunstctl", "action", "0"); return err }

// Seen closes all that is on the screen, and returns it and what was closed before, a
// title and a body each, the oldest first.
func (d *Desk) Seen() (all []string, err error) {
	if _, err = d.run("dunstctl", "close-all"); err == nil {
		err = d.Await(0)
	}
	if err != nil {
		return nil, err
	}
	out, err := d.run("dunstctl", "history")
	if err != nil {
		return nil, err
	}
	type text struct{ Data string }
	var history struct {
		Data [][]struct{ Summary, Body text }
	}
	if err := json.Unmarshal([]byte(out), &history); err != nil || len(history.Data) == 0 {
		return nil, fmt.Errorf("desk test: history: %w: %s", err, out)
	}
	for _, n := range history.Data[0] {
		all = append([]string{n.Summary.Data + ": " + n.Body.Data}, all...)
	}
	return all, nil
}

// Screenshot writes what is on the screen to name in the folder of what CI keeps:
// $CI_ARTIFACTS, else dist/artifacts of this repository, which is root.
func (d *Desk) Screenshot(root, name string) error {
	dir := os.Getenv("CI_ARTIFACTS")
	if dir == "" {
		dir = filepath.Join(root, "dist", "artifacts")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	_, err := d.run("import", "-window", "root", filepath.Join(dir, name))
	return err
}

func (d *Desk) run(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Env = d.env
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Run(); err != nil {
		return "", fmt.Errorf("desk test: %s %v: %w: %s", name, args, err, &stderr)
	}
	return stdout.String(), nil
}
