//go:build linux

package keyringtest

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cwagent/cwagent/ipc/ipctest"
)

// Password opens the collection unless Options says otherwise.
const Password = "correct horse"

// patience is how long anything may take here before it counts as broken.
const patience = 15 * time.Second

// Options say how the keyring is when Start returns. The zero value is a login
// collection with a password, unlocked.
type Options struct {
	Password string // of the login collection; empty means Password
	Fresh    bool   // no collection, as in a home that never saw a desktop
	Locked   bool   // the collection is there, and the daemon was given a wrong password
	Blank    bool   // the collection has an empty password: it lies on disk in clear, and is locked until somebody asks
	BusOnly  bool   // no daemon

	// Prompter is the command that shows the daemon's prompts, as the bus starts it:
	// Screen.Prompter or Blind. Empty means that nothing is installed that could.
	Prompter string

	// Items are in the collection from the start, by the attribute username, with
	// the service "cwagent". The daemon needs many seconds to take 500.
	Items map[string]string
}

// Keyring is a bus and a daemon, each running or not. Its methods are not for
// concurrent use.
type Keyring struct {
	dir      string
	password string
	bus      *process
	daemon   *process
}

// New starts a keyring that ends with the test. Where a program for it is
// missing the test is skipped, or fails if CI=true.
func New(t testing.TB, o Options) *Keyring {
	t.Helper()
	if err := Missing(); err != nil {
		ipctest.Skip(t, err.Error())
	}
	// t.TempDir is too long for a socket. The daemon syncs its file at each write,
	// which takes a busy disk 100 ms, and no test here pulls the plug.
	dir, err := os.MkdirTemp("/dev/shm", "keyring")
	if err != nil {
		dir, err = os.MkdirTemp("", "keyring")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	k, err := Start(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

// Missing reports the programs that are needed and not installed.
func Missing() error {
	var all []string
	for _, p := range []string{"dbus-daemon", "gnome-keyring-daemon"} {
		if _, err := exec.LookPath(p); err != nil {
			all = append(all, p)
		}
	}
	if len(all) == 0 {
		return nil
	}
	return fmt.Errorf("not installed: %s (Debian: gnome-keyring dbus)", strings.Join(all, ", "))
}

// Start makes a home in dir, which exists and has a short path, and runs a bus
// and a daemon there.
func Start(dir string, o Options) (*Keyring, error) {
	k := &Keyring{dir: dir, password: o.Password}
	if k.password == "" {
		k.password = Password
	}
	if n := len(k.socket()); n > 100 {
		return nil, fmt.Errorf("keyring test: %s is too long for a socket: %d bytes", k.socket(), n)
	}
	for _, d := range []string{"home", "data", "run"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			return nil, err
		}
	}
	err := k.install(o.Prompter)
	if err == nil {
		err = k.startBus()
	}
	if err == nil {
		err = k.prepare(o)
	}
	if err != nil {
		k.Close()
		return nil, err
	}
	return k, nil
}

// prepare makes the collection out of a file in clear, which is the quickest way
// to many items, and gives it its password afterwards.
func (k *Keyring) prepare(o Options) error {
	if o.BusOnly {
		return nil
	}
	if o.Fresh {
		return k.startDaemon("")
	}
	err := k.writeClear(o.Items)
	if err == nil {
		err = k.startDaemon("")
	}
	if err != nil {
		return err
	}
	if o.Blank {
		k.password = ""
		return nil
	}
	if err := k.changePassword("", k.password); err != nil { // which locks it
		return err
	}
	if !o.Locked {
		return k.Unlock()
	}
	k.Kill()
	return k.startDaemon("not " + k.password)
}

// writeClear writes the login collection as gnome-keyring does where its
// password is blank.
func (k *Keyring) writeClear(items map[string]string) error {
	dir := filepath.Join(k.Data(), "keyrings")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("\n[keyring]\ndisplay-name=Login\nctime=0\nmtime=0\nlock-on-idle=false\nlock-after=false\n")
	escape := strings.NewReplacer(`\`, `\\`)
	for i, name := range slices.Sorted(maps.Keys(items)) {
		fmt.Fprintf(&b, "\n[%d]\nitem-type=0\ndisplay-name=%s\nsecret=%s\nmtime=0\nctime=0\n", i+1, name, escape.Replace(items[name]))
		for j, a := range [2][2]string{{"service", "cwagent"}, {"username", name}} {
			fmt.Fprintf(&b, "\n[%d:attribute%d]\nname=%s\ntype=string\nvalue=%s\n", i+1, j, a[0], a[1])
		}
	}
	return os.WriteFile(filepath.Join(dir, "login.keyring"), []byte(b.String()), 0o600)
}

// Env are the variables that lead a program to this keyring, for os/exec; HOME
// is among them.
func (k *Keyring) Env() []string {
	return []string{
		"HOME=" + filepath.Join(k.dir, "home"),
		"XDG_DATA_HOME=" + k.Data(),
		"XDG_RUNTIME_DIR=" + filepath.Join(k.dir, "run"),
		"DBUS_SESSION_BUS_ADDRESS=unix:path=" + k.socket(),
	}
}

// Getenv is an environment of Env only: this process needs no other one, and
// tests can run in parallel.
func (k *Keyring) Getenv(name string) string {
	env := k.Env()
	i := slices.IndexFunc(env, func(kv string) bool { return strings.HasPrefix(kv, name+"=") })
	if i < 0 {
		return ""
	}
	return env[i][len(name)+1:]
}

// Data is the folder in which the daemon keeps its keyrings folder.
func (k *Keyring) Data() string { return filepath.Join(k.dir, "data") }

func (k *Keyring) socket() string { return filepath.Join(k.dir, "bus") }

// Stop stops the daemon in its tracks: it is there and does not answer. It
// returns when that is so.
func (k *Keyring) Stop() error { return k.daemon.stop() }

// Continue undoes Stop.
func (k *Keyring) Continue() error { return k.daemon.carryOn() }

// StopBus and ContinueBus do the same to the bus.
func (k *Keyring) StopBus() error { return k.bus.stop() }

// ContinueBus undoes StopBus.
func (k *Keyring) ContinueBus() error { return k.bus.carryOn() }

// Kill ends the daemon as a crash does.
func (k *Keyring) Kill() { k.daemon.kill(); k.daemon = nil }

// KillBus ends the bus as a crash does, and the daemon, which would not find
// the next bus.
func (k *Keyring) KillBus() { k.bus.kill(); k.bus = nil; k.Kill() }

// Restart starts what is not running, with the collection unlocked, as a login
// does.
func (k *Keyring) Restart() error { return k.restart(k.password) }

// RestartLocked is Restart as after a login without a password.
func (k *Keyring) RestartLocked() error { return k.restart("not " + k.password) }

func (k *Keyring) restart(password string) error {
	if k.bus == nil {
		if err := k.startBus(); err != nil {
			return err
		}
	}
	if k.daemon != nil {
		return errors.New("keyring test: the daemon is running")
	}
	return k.startDaemon(password)
}

// Close ends everything. Only the files in the folder remain.
func (k *Keyring) Close() {
	k.daemon.kill()
	k.bus.kill()
	k.daemon, k.bus = nil, nil
}
