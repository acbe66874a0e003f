package source

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Outside runs programs as transient units of systemd's user manager: the agent's
// own unit is locked down in ways that some of them do not survive, such as those
// with a set-group-ID bit, or node.
//
// What the manager is told is the Helper alone, a program that calls Help and hears
// on its stdin what to run. For the manager would write the variables into a file
// (below /run/user/UID/systemd/transient), replace $NAME in the arguments, which
// everybody may read, and add its own variables to ours.
type Outside struct {
	Helper []string
}

// Available reports whether there is a user manager that can be asked to.
func (*Outside) Available() bool {
	_, err := os.Stat(systemdRun)
	_, manager := os.Stat(os.Getenv("XDG_RUNTIME_DIR") + "/systemd/private")
	return err == nil && manager == nil
}

// busAnswers reports whether somebody listens at the session bus. systemd-run, which
// waits for what it runs, asks the user manager over that, and there are servers that
// have the one without the other. What is no path of this machine is left to it.
func busAnswers() bool {
	all := os.Getenv("DBUS_SESSION_BUS_ADDRESS")
	if all == "" {
		all = "unix:path=" + os.Getenv("XDG_RUNTIME_DIR") + "/bus"
	}
	for address := range strings.SplitSeq(all, ";") {
		at, ok := strings.CutPrefix(address, "unix:path=")
		if !ok {
			return true
		}
		at, _, _ = strings.Cut(at, ",")
		if at, err := url.PathUnescape(at); err == nil { // which D-Bus writes as URLs do
			if conn, err := net.DialTimeout("unix", at, grace); err == nil {
				conn.Close()
				return true
			}
		}
	}
	return false
}

const (
	systemdRun = "/usr/bin/systemd-run"
	systemctl  = "/usr/bin/systemctl"
)

// unit returns the command that runs the helper outside, and what kills it and its
// program there.
func (o *Outside) unit(limit time.Duration) (argv []string, kill func()) {
	unit := "cwagent-source-" + strings.ToLower(rand.Text()) + ".service"
	argv = []string{
		systemdRun, "--user", "--quiet", "--pipe", "--wait", "--collect", "--service-type=exec", "--unit=" + unit,
		"--description=cwagent: source of a token", "--working-directory=/", "--property=LimitCORE=0",
		"--property=RuntimeMaxSec=" + (limit + grace).String(), // if we do not live to kill it
		"--",
	}
	return append(argv, o.Helper...), func() {
		ctx, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		cmd := exec.CommandContext(ctx, systemctl, "--user", "kill", "--signal=KILL", unit)
		cmd.Env = toManager()
		_ = cmd.Run() // it may have ended
	}
}

// toManager are the variables by which the user manager is found, whatever the
// program is to get, and no others: what is in our environment only root reads, what
// is in theirs any program of the user.
func toManager() (env []string) {
	for _, name := range []string{"XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// startable is why a program cannot be run at all, which whoever runs it outside
// would say less clearly.
func startable(argv []string) error {
	info, err := os.Stat(argv[0])
	switch {
	case err != nil:
		return err
	case info.IsDir() || info.Mode()&0o111 == 0:
		return os.ErrPermission
	case strings.Contains(strings.Join(argv, ""), "\x00"):
		return syscall.EINVAL // as exec says
	}
	return nil
}

// A job is what the helper is to run: a program with these variables and no others.
type job struct{ argv, env []string }

// encode returns what the helper reads: a number, so many arguments, the variables.
func (j job) encode() string {
	words := append([]string{strconv.Itoa(len(j.argv))}, j.argv...)
	return strings.Join(append(words, j.env...), "\x00")
}

func decodeJob(b []byte) (j job, ok bool) {
	words := strings.Split(string(b), "\x00")
	n, err := strconv.Atoi(words[0])
	if err != nil || n < 1 || n >= len(words) {
		return job{}, false
	}
	return job{words[1 : 1+n], words[1+n:]}, true
}

// signaled, and the number of the signal, is the exit code of a helper whose program
// a signal has ended. Shells do the same, so that a script which ends so because a
// part of it was killed is said to have been killed itself.
const (
	signaled   = 128
	notStarted = 126 // as a shell says
)

// Help is the helper. It returns the exit code of the program that it has run.
//
// It stays beside the program, because systemd-run has only one exit code for all
// signals, and success for SIGTERM, with half a token printed perhaps.
func Help(stdin io.Reader, stdout, stderr io.Writer) (exit int, err error) {
	b, err := io.ReadAll(stdin)
	if err != nil {
		return 0, err
	}
	j, ok := decodeJob(b)
	if !ok {
		return 0, errors.New("stdin does not say what to run")
	}
	// Whoever ends the unit tells the program, too, and what became of that we say.
	ignored := make(chan os.Signal, 1)
	signal.Notify(ignored, syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(ignored)
	cmd := exec.CommandContext(context.Background(), j.argv[0], j.argv[1:]...)
	cmd.Env, cmd.Stdout, cmd.Stderr = j.env, stdout, stderr
	apart(cmd)
	if err := cmd.Run(); cmd.ProcessState == nil {
		r := run{argv: j.argv}
		_, err := io.WriteString(stderr, r.unstarted(context.Background(), err).Why+"\n")
		return notStarted, err
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return signaled + int(status.Signal()), nil
	}
	return cmd.ProcessState.ExitCode(), nil
}

// signalOf returns the signal that an exit code of the helper's stands for.
func signalOf(exit int) (s syscall.Signal, ok bool) {
	const last = 31 // beyond are the real-time signals, which have no names
	s = syscall.Signal(exit - signaled)
	return s, s >= 1 && s <= last
}
