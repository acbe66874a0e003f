package source

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/cwagent/cwagent/agent"
)

const (
	patience  = 30 * time.Second // of a Command without a Timeout
	grace     = time.Second      // to read what is left once the program has ended, or was killed
	maxOutput = 1 << 20          // bytes of stdout; a token has at most 128 KiB
	maxStderr = 4 << 10          // bytes of stderr that are kept: its end
)

// A Command is a program that prints the next token: a bare one, an
// ExecCredential, or {"token": ..., "expiresAt" or "expiresIn": ...}.
//
// It runs in a session of its own, so that nothing can ask at a terminal of the
// person, and in the folder "/". When its time is up, all that it has started is
// killed with it, save what has put itself into another session, or outside of
// Linux into another process group; its hold on the pipes is not waited for. On
// Windows only the program itself is killed.
//
// Its environment is made of those of the agent's variables that say who and
// where the person is, what speaks to her session, and how the network is
// reached:
//
//	HOME USER LOGNAME PATH LANG LANGUAGE LC_* TZ TMPDIR XDG_*
//	DBUS_SESSION_BUS_ADDRESS SSH_AUTH_SOCK DISPLAY WAYLAND_DISPLAY
//	HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY (these in small letters, too)
//	SSL_CERT_FILE SSL_CERT_DIR
//
// and on Windows what programs cannot start without. An agent without PATH gives
// it /usr/local/bin:/usr/bin:/bin.
type Command struct {
	Argv     []string      // Argv[0] is an absolute path; no shell reads it
	Env      []string      // "NAME" passes one of the agent's variables on, "NAME=VALUE" sets one; never CWAGENT_*
	Timeout  time.Duration // 30 seconds where it is zero
	Lifetime time.Duration // of a token that comes without an expiry; zero: unknown
	Now      func() time.Time
	Environ  func() []string // the agent's environment; os.Environ where it is nil
	Outside  *Outside        // nil, or where it cannot: it is a child of the agent, with the agent's limits
}

var _ agent.Source = (*Command)(nil)

// Kind implements agent.Source.
func (*Command) Kind() string { return "command" }

// Next implements agent.Source: it runs the program once.
func (c *Command) Next(ctx context.Context, _ agent.Occasion) (agent.Minted, error) {
	m, e := c.next(ctx)
	if e != nil {
		return agent.Minted{}, before(c.name(), e)
	}
	return m, nil
}

func (c *Command) name() string {
	if len(c.Argv) == 0 || c.Argv[0] == "" {
		return "command: "
	}
	return bounded(clean(c.Argv[0])) + ": "
}

const configHint = "see source.command of this credential in config.yaml"

func (c *Command) next(ctx context.Context) (agent.Minted, *agent.SourceError) {
	if len(c.Argv) == 0 || !filepath.IsAbs(c.Argv[0]) {
		return agent.Minted{}, broken("the program is not named by an absolute path", configHint)
	}
	env, values, e := c.environment()
	if e != nil {
		return agent.Minted{}, e
	}
	asked := clock(c.Now)
	r := run{argv: c.Argv, env: env, timeout: c.Timeout, outside: c.Outside}
	if r.timeout <= 0 {
		r.timeout = patience
	}
	if r.outside != nil && !busAnswers() {
		r.outside, r.confined = nil, true
	}
	if e := r.do(ctx); e != nil {
		said := redactor{secrets: append(values, r.stdout.String()), opaque: true}.line(r.stderr.String())
		if said != "" {
			e.Why += ": " + said
		}
		return agent.Minted{}, e
	}
	return parse(r.stdout.String(), asked, clock(c.Now), c.Lifetime)
}

// A run is one run of a program.
type run struct {
	argv     []string
	env      []string
	timeout  time.Duration
	outside  *Outside
	confined bool // it is not outside, for want of a bus
	stdout   head
	stderr   tail
}

var (
	errTimeout = errors.New("its time is up")
	errFlood   = errors.New("it prints too much")
)

// do returns when the program has ended, or has been killed, and what it said is
// read as far as it will be.
func (r *run) do(ctx context.Context) *agent.SourceError {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ctx, stop := context.WithTimeoutCause(ctx, r.timeout, errTimeout)
	defer stop()
	r.stdout.full = func() { cancel(errFlood) }
	argv, env, stdin, kill := r.argv, r.env, io.Reader(nil), func() {}
	if r.outside != nil {
		if err := startable(argv); err != nil {
			return r.unstarted(ctx, err)
		}
		stdin = strings.NewReader(job{argv, env}.encode())
		argv, kill = r.outside.unit(r.timeout)
		env = toManager()
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = env, stdin, &r.stdout, &r.stderr
	cmd.WaitDelay = grace
	apart(cmd)
	if err := cmd.Start(); err != nil {
		return r.unstarted(ctx, err)
	}
	// Not by cmd.Cancel, which is not called where systemd-run has ended before: a
	// service manager that stops the agent ends both at once. Not only once, either: what
	// systemd-run has asked for may be started after that.
	over, killed := make(chan struct{}), make(chan struct{})
	keep := context.AfterFunc(ctx, func() {
		defer close(killed)
		for kill(); ; kill() {
			select {
			case <-over:
				return
			case <-time.After(grace / 20):
			}
		}
	})
	err := cmd.Wait()
	close(over)
	if !keep() {
		<-killed
	}
	if errors.Is(err, exec.ErrWaitDelay) && context.Cause(ctx) == nil {
		err = nil // it has ended well; something that it left behind holds its stdout
	}
	return r.ended(ctx, err)
}

// unstarted says why there was no run.
func (r *run) unstarted(ctx context.Context, err error) *agent.SourceError {
	reason := err
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		reason = pe.Err
	} else if ee := (*exec.Error)(nil); errors.As(err, &ee) {
		reason = ee.Err
	}
	info, statErr := os.Stat(r.argv[0])
	switch {
	case ctx.Err() != nil:
		return transient("it was not started: the request was withdrawn", "")
	case errors.Is(err, fs.ErrNotExist) && statErr == nil:
		return broken("the interpreter that its first line names is missing", "install it, or correct that line")
	case errors.Is(err, fs.ErrNotExist):
		return broken("no such program", "install it, or correct its path: "+configHint)
	case statErr == nil && info.IsDir():
		return broken("it is a folder", configHint)
	case errors.Is(err, fs.ErrPermission):
		return broken("it is not executable", "chmod +x, or another program: "+configHint)
	case notProgram(err):
		return broken("it is no program of this machine", "a script begins with a line such as #!/bin/sh")
	}
	return transient("it cannot be started: "+clean(reason.Error()), "")
}

// limits is a hint where the agent's own may be why it failed.
func (r *run) limits() string {
	if !r.confined {
		return ""
	}
	return "without a session bus it runs within the limits of the agent's unit, under which setgid programs and node fail: install one (Debian: dbus-user-session)"
}

// ended says how a run ended, nil where it ended well.
func (r *run) ended(ctx context.Context, err error) *agent.SourceError {
	byHand := cmp.Or(r.limits(), "run it by hand; here it has no terminal, no stdin and a small environment")
	var exit *exec.ExitError
	switch cause := context.Cause(ctx); {
	case r.stdout.over:
		return broken("it printed more than 1 MiB", formHint)
	case err == nil:
		return nil
	case cause == errTimeout:
		return transient("it did not end within "+r.timeout.String()+" and was killed", byHand)
	case cause != nil:
		return transient("it was killed before it ended: nobody waits for it any more", "")
	case !errors.As(err, &exit):
		return transient("what it printed cannot be read: "+clean(err.Error()), "")
	case exit.ExitCode() < 0:
		return transient("it was killed: "+exit.String(), r.limits())
	}
	if s, ok := signalOf(exit.ExitCode()); ok && r.outside != nil {
		return transient("it was killed: signal: "+s.String(), "")
	}
	return transient("exit code "+strconv.Itoa(exit.ExitCode()), byHand)
}

// head keeps the beginning of what is written, and calls full once there is
// more. Then it swallows the rest, so that nothing waits for a reader.
type head struct {
	b    strings.Builder
	over bool
	full func()
}

func (h *head) Write(p []byte) (int, error) {
	room := maxOutput - h.b.Len()
	h.b.Write(p[:min(room, len(p))])
	if len(p) > room && !h.over {
		h.over = true
		h.full()
	}
	return len(p), nil
}

func (h *head) String() string { return h.b.String() }

// tail keeps the end of what is written.
type tail struct {
	b   []byte
	cut bool
}

func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	if n > maxStderr {
		p, t.cut = p[n-maxStderr:], true
	}
	if over := len(t.b) + len(p) - maxStderr; over > 0 {
		t.b, t.cut = append(t.b[:0], t.b[over:]...), true
	}
	t.b = append(t.b, p...)
	return n, nil
}

// String begins with a whole word: half of a secret would not be known for one.
func (t *tail) String() string {
	s := string(t.b)
	if !t.cut {
		return s
	}
	if i := strings.IndexAny(s, " \t\r\n"); i >= 0 {
		return s[i:]
	}
	return ""
}
