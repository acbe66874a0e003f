//go:build linux

package keyringtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// process is a child; nil is one that does not run.
type process struct {
	cmd    *exec.Cmd
	stderr bytes.Buffer
	ended  chan struct{}
}

// spawn starts a program in this keyring's environment.
func (k *Keyring) spawn(stdin string, more []*os.File, name string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(name, args...), ended: make(chan struct{})}
	p.cmd.Env = append(k.Env(), "PATH="+os.Getenv("PATH"), "LANG=C", "GSETTINGS_BACKEND=memory")
	p.cmd.Dir = k.dir
	p.cmd.Stdin = strings.NewReader(stdin)
	p.cmd.Stderr = &p.stderr
	p.cmd.ExtraFiles = more
	// A test binary that is killed runs no cleanup.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

func (p *process) kill() {
	if p == nil {
		return
	}
	_ = p.cmd.Process.Kill()
	<-p.ended
}

func (p *process) stop() error {
	if p == nil {
		return errors.New("keyring test: not running")
	}
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for {
		err := unix.Waitid(unix.P_PID, p.cmd.Process.Pid, nil, unix.WSTOPPED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func (p *process) carryOn() error {
	if p == nil {
		return errors.New("keyring test: not running")
	}
	return p.cmd.Process.Signal(syscall.SIGCONT)
}

const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=%s</listen>
  <auth>EXTERNAL</auth>
  <servicedir>%s</servicedir>
  <policy context="default">
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
  </policy>
</busconfig>
`

// startBus returns when the bus accepts connections: it prints its address then.
func (k *Keyring) startBus() error {
	config := filepath.Join(k.dir, "bus.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, busConfig, k.socket(), k.services()), 0o600); err != nil {
		return err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	p, err := k.spawn("", []*os.File{w}, "dbus-daemon", "--config-file="+config, "--nofork", "--nopidfile", "--print-address=3")
	_ = w.Close()
	if err != nil {
		return err
	}
	if n, err := r.Read(make([]byte, 1)); n == 0 {
		p.kill()
		return fmt.Errorf("keyring test: dbus-daemon: %w: %s", err, &p.stderr)
	}
	k.bus = p
	return nil
}

// startDaemon returns when the daemon has its name on the bus. Without a
// password it makes and opens no collection.
func (k *Keyring) startDaemon(password string) error {
	args := []string{"--foreground", "--components=secrets"}
	if password != "" {
		args = append(args, "--unlock")
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := k.dial(ctx)
	if err != nil {
		return err
	}
	defer c.Close()
	owned, err := c.watchOwner()
	if err != nil {
		return err
	}
	p, err := k.spawn(password, nil, "gnome-keyring-daemon", args...)
	if err != nil {
		return err
	}
	if err := c.waitOwner(owned, p.ended); err != nil {
		p.kill()
		return fmt.Errorf("keyring test: gnome-keyring-daemon: %w: %s", err, &p.stderr)
	}
	k.daemon = p
	return nil
}
