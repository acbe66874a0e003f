//go:build unix

package source

import (
	"context"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cwagent/cwagent/agent"
	"github.com/cwagent/cwagent/ipc"
)

// sh is a command that the shell reads: every test here runs real programs.
func sh(script string) *Command {
	return &Command{Argv: []string{"/bin/sh", "-c", script}, Environ: func() []string { return nil }}
}

// refused runs a command that is to give no token.
func refused(t *testing.T, c *Command, class agent.Class, why string) *agent.SourceError {
	t.Helper()
	m, err := c.Next(t.Context(), agent.Occasion{})
	return wantError(t, m, err, class, why)
}

func TestCommand(t *testing.T) {
	t.Parallel()
	c := sh(`echo CW-SECRET-s3cr3t; echo 'signed in as jane' >&2`) // as cwic auth token does
	c.Lifetime = time.Hour
	times := []time.Time{noon, after}
	c.Now = func() time.Time { now := times[0]; times = times[1:]; return now }
	m, err := c.Next(t.Context(), agent.Occasion{})
	if err != nil || m.Secret.Reveal() != "CW-SECRET-s3cr3t" || m.Expiry != ipc.ExpiryKnown || !m.Expires.Equal(noon.Add(time.Hour)) {
		t.Errorf("%+v, %v", m, err)
	}
	if c.Kind() != "command" {
		t.Errorf("kind %q", c.Kind())
	}
}

func TestCommandBad(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		script string
		class  agent.Class
		why    string
	}{
		{`exit 0`, agent.Broken, "/bin/sh: it printed nothing"},
		{`echo s3cr3t; echo s3cr3t`, agent.Broken, "it printed more than one line"},
		{`echo s3cr3t s3cr3t`, agent.Broken, "it printed more than one word"},
		{`printf 's3cr3t\001'`, agent.Broken, "control characters"},
		{`echo '{"token":"s3cr3t","expiresAt":"2001-01-01T00:00:00Z"}'`, agent.Broken, "the token expired at 2001-01-01"},
		{`echo '{"token":"s3cr3t","expiresIn":1}'`, agent.Broken, "only"},
		{`head -c 10000000 /dev/zero | tr '\0' x`, agent.Broken, "it printed more than 1 MiB"},
		{`trap '' PIPE; while :; do echo s3cr3t; done`, agent.Broken, "it printed more than 1 MiB"},
		{`exit 3`, agent.Transient, "/bin/sh: exit code 3"},
		{`echo s3cr3t; echo 'not signed in' >&2; exit 1`, agent.Transient, "exit code 1: not signed in"},
		{`echo bare-s3cr3t; printf 'tried bare-s3cr3t\nAuthorization: Bearer s3cr3t\n\033[31mOP_TOKEN=s3cr3t' >&2; exit 1`,
			agent.Transient, "exit code 1: tried [secret]; Authorization: Bearer [secret]; OP_TOKEN=[secret]"},
		{`head -c 10000000 /dev/zero | tr '\0' x >&2; echo ' denied' >&2; exit 1`, agent.Transient, "exit code 1: denied"},
		{`kill -TERM $$`, agent.Transient, "it was killed: signal: terminated"},
		{`read -r x </dev/tty && echo "$x"`, agent.Transient, "exit code"},
		{`read -r x; echo "$x"`, agent.Broken, "it printed nothing"}, // stdin is /dev/null
	} {
		t.Run(tt.script, func(t *testing.T) {
			t.Parallel()
			refused(t, sh(tt.script), tt.class, tt.why)
		})
	}
}

func TestCommandMissing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	// A child that another test forks now would hold these open for writing, and
	// what is open for writing cannot be run (ETXTBSY, golang/go#22315).
	syscall.ForkLock.RLock()
	for _, f := range []struct {
		name, text string
		mode       os.FileMode
	}{
		{"plain", "#!/bin/sh\necho s3cr3t\n", 0o600},
		{"orphan", "#!/no/such/shell\n", 0o700},
		{"noise", "\x7fs3cr3t", 0o700},
	} {
		if err := os.WriteFile(filepath.Join(dir, f.name), []byte(f.text), f.mode); err != nil {
			t.Error(err)
		}
	}
	syscall.ForkLock.RUnlock()
	for _, tt := range []struct{ path, why string }{
		{"", "command: the program is not named by an absolute path"},
		{"op", "op: the program is not named by an absolute path"},
		{filepath.Join(dir, "op"), "op: no such program"},
		{filepath.Join(dir, "plain", "op"), "op: it cannot be started: not a directory"},
		{filepath.Join(dir, "plain"), "plain: it is not executable"},
		{filepath.Join(dir, "orphan"), "orphan: the interpreter that its first line names is missing"},
		{filepath.Join(dir, "noise"), "noise: it is no program of this machine"},
		{dir, "it is a folder"},
	} {
		class := agent.Broken
		if strings.Contains(tt.why, "cannot be started") {
			class = agent.Transient
		}
		if e := refused(t, &Command{Argv: []string{tt.path}}, class, tt.why); e.Hint == "" && class == agent.Broken {
			t.Errorf("%s: no hint", tt.why)
		}
	}
	refused(t, &Command{}, agent.Broken, "command: ")
}

func TestCommandHangs(t *testing.T) {
	t.Parallel()
	c := sh(`echo s3cr3t; echo 'waiting for a finger' >&2; exec sleep 300`)
	c.Timeout = 300 * time.Millisecond
	refused(t, c, agent.Transient, "it did not end within 300ms and was killed: waiting for a finger")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m, err := c.Next(ctx, agent.Occasion{})
	wantError(t, m, err, agent.Transient, "it was not started")
}

func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// What a program has started is killed with it, on Linux also what has a process
// group of its own: the grandchild holds a pipe of the test's, which ends.
func TestCommandTree(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"its group":   `(echo up; exec sleep 300) >PIPE & sleep 300`,
		"its session": `timeout 300 sh -c 'echo up; exec sleep 300' >PIPE & sleep 300`,
	} {
		if name == "its group" || runtime.GOOS == "linux" {
			t.Run(name, func(t *testing.T) { t.Parallel(); tree(t, script) })
		}
	}
}

func tree(t *testing.T, script string) {
	pipe := fifo(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		c := sh(strings.ReplaceAll(script, "PIPE", pipe))
		m, err := c.Next(ctx, agent.Occasion{})
		if !m.Secret.Empty() {
			t.Errorf("%+v", m)
		}
		ended <- err
	}()
	f, err := os.Open(pipe)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Read(make([]byte, 8)); err != nil { // the grandchild runs
		t.Fatal(err)
	}
	cancel()
	if n, err := f.Read(make([]byte, 8)); n != 0 || err == nil {
		t.Errorf("read %d bytes, %v", n, err)
	}
	wantError(t, agent.Minted{}, <-ended, agent.Transient, "it was killed before it ended")
}

// What has got away into a session of its own is not killed, and not waited for.
// It holds stdout until the test lets it go.
func TestCommandLeftBehind(t *testing.T) {
	t.Parallel()
	held := func(t *testing.T) string {
		path := fifo(t)
		f, err := os.OpenFile(path, os.O_RDWR, 0) // both ends: who reads it waits
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return path
	}
	t.Run("after a token", func(t *testing.T) {
		t.Parallel()
		m, err := sh(`cat `+held(t)+` & echo s3cr3t`).Next(t.Context(), agent.Occasion{})
		if err != nil || m.Secret.Reveal() != "s3cr3t" {
			t.Errorf("%+v, %v", m, err)
		}
	})
	t.Run("after a kill", func(t *testing.T) {
		t.Parallel()
		setsid, err := exec.LookPath("setsid")
		if err != nil {
			t.Skip("there is no setsid")
		}
		c := sh(setsid + ` cat ` + held(t) + ` & exec sleep 300`)
		c.Timeout = time.Second
		refused(t, c, agent.Transient, "it did not end within 1s")
	})
}

// environmentOf is what a real program sees.
func environmentOf(t *testing.T, c *Command) []string {
	t.Helper()
	c.Argv = []string{"/bin/sh", "-c", `env | base64 | tr -d '\n'`}
	m, err := c.Next(t.Context(), agent.Occasion{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := base64.StdEncoding.DecodeString(m.Secret.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	var env []string
	for v := range strings.Lines(string(b)) {
		name, _, _ := strings.Cut(v, "=")
		if name != "PWD" && name != "SHLVL" && name != "_" && name != "OLDPWD" { // the shell's own
			env = append(env, strings.TrimSpace(v))
		}
	}
	slices.Sort(env)
	return env
}

func TestCommandEnvironment(t *testing.T) {
	t.Parallel()
	agents := []string{
		"HOME=/home/jane", "LC_CTYPE=C", "XDG_RUNTIME_DIR=/run/user/7", "https_proxy=http://proxy:3128", "SSH_AUTH_SOCK=/s",
		"CWAGENT_SOCKET=/x", "CWAGENT_STATE_DIR=/x", "VAULT_TOKEN=s3cr3t-of-vault", "AWS_PROFILE=x", "KUBERNETES_EXEC_INFO={}", "LD_PRELOAD=/x", "HOMES=/x",
	}
	c := &Command{
		Environ: func() []string { return agents },
		Env:     []string{"VAULT_TOKEN", "VAULT_ADDR=https://vault:8200", "NOT_THERE", "EMPTY=", "HOME=/other"},
	}
	want := []string{
		"EMPTY=", "HOME=/other", "LC_CTYPE=C", "PATH=" + defaultPath, "SSH_AUTH_SOCK=/s", "VAULT_ADDR=https://vault:8200",
		"VAULT_TOKEN=s3cr3t-of-vault", "XDG_RUNTIME_DIR=/run/user/7", "https_proxy=http://proxy:3128",
	}
	if got := environmentOf(t, c); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	agents = append(agents, "PATH=/bin:/usr/bin")
	if got := environmentOf(t, c); !slices.Contains(got, "PATH=/bin:/usr/bin") {
		t.Errorf("%q", got)
	}
	// What the config hands over is not shown, what it is about is.
	c.Argv = []string{"/bin/sh", "-c", `echo "no $VAULT_TOKEN at $VAULT_ADDR" >&2; exit 1`}
	refused(t, c, agent.Transient, "exit code 1: no [secret] at https://vault:8200")
	for _, bad := range []string{"CWAGENT_SOCKET", "CWAGENT_SOCKET=/x", "cwagent_x=1", "=x", "", "X=\x00"} {
		c.Env = []string{bad}
		refused(t, c, agent.Broken, "")
	}
}

func TestCommandAlone(t *testing.T) {
	t.Parallel()
	m, err := sh(`pwd`).Next(t.Context(), agent.Occasion{})
	if err != nil || m.Secret.Reveal() != "/" {
		t.Errorf("%+v, %v", m, err)
	}
	// It leads its session.
	if _, err := os.Stat("/proc/self/stat"); err == nil {
		if _, err := sh(`set -- $(cat /proc/$$/stat); test "$1" = "$5" && test "$1" = "$6" && echo ok`).Next(t.Context(), agent.Occasion{}); err != nil {
			t.Error(err)
		}
	}
}
